import type { FastifyInstance } from 'fastify'
import { ConfigError, readConfig } from './config.ts'
import { instructions } from './instructions.ts'
import { warnings } from './log.ts'
import { build } from './server.ts'

try {
  await start()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.error(error.message)
  process.exit(1)
}

async function start(): Promise<void> {
  const { port, own } = await readConfig(process.env)
  const issuer = own ?? (await startEmbedded())
  const app = await create('close' in issuer ? issuer.options : issuer)
  const address = await listen(app, port)

  // Ctrl+C under npm arrives twice, from the terminal and from npm: the second one must not kill.
  let stopping: Promise<unknown> | undefined
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      stopping ??= Promise.all([app.close(), 'close' in issuer && issuer.close()])
    })
  }
  console.log(instructions(address, issuer))
}

async function startEmbedded() {
  // Loaded only where it is needed: nothing in the demo weighs more.
  const { startIssuer } = await import('./issuer.ts')
  return startIssuer()
}

async function create(auth: Parameters<typeof build>[0]): Promise<FastifyInstance> {
  try {
    return await build(auth, warnings)
  } catch (error) {
    // The plugin's word for a wrong option.
    if (!(error instanceof TypeError)) throw error
    throw new ConfigError(`Wrong configuration: ${error.message}`, { cause: error })
  }
}

async function listen(app: FastifyInstance, port: number): Promise<string> {
  try {
    return await app.listen({ port, host: '127.0.0.1' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'is taken' : code === 'EACCES' ? 'may not be used' : undefined
    if (!why) throw error
    throw new ConfigError(`Port ${port} ${why}: set PORT to another one.`, { cause: error })
  }
}
