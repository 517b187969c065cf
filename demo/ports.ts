import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { ConfigError } from './config.ts'
import type { Config } from './config.ts'

export const defaultPorts = { port: 8000, pagePort: 8001, issuerPort: 8002 } as const
type PortName = keyof typeof defaultPorts

const variables = { port: 'PORT', pagePort: 'PAGE_PORT', issuerPort: 'ISSUER_PORT' } as const

/**
 * Listens on the port that the user chose, else on the default port. If the default is taken, or if the user chose it for
 * another part of the demo, any free port will do.
 */
export async function listenOn<T>(
  config: Pick<Config, PortName>,
  name: PortName,
  listen: (port: number) => Promise<T>,
): Promise<T> {
  const port = config[name] ?? defaultPorts[name]
  const isChosen = config[name] !== undefined
  const isForAnother = [config.port, config.pagePort, config.issuerPort].includes(port)
  if (!isChosen && isForAnother) return listen(0)
  try {
    return await listen(port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE' && !isChosen) return listen(0)
    const reason =
      code === 'EADDRINUSE' ? 'is already in use' : code === 'EACCES' ? 'needs more privileges' : undefined
    if (!reason) throw error
    throw new ConfigError(`Port ${port} ${reason}. Set ${variables[name]} to another port.`, { cause: error })
  }
}

/** A port that is free now, for a server whose URL must be known before it listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
