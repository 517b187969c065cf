import { ConfigError, readConfig } from './config.ts'
import { instructions } from './instructions.ts'
import { warnings } from './log.ts'
import { start } from './start.ts'

try {
  await run()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.error(error.message)
  process.exit(1)
}

async function run(): Promise<void> {
  const demo = await start(await readConfig(process.env), warnings)

  // Ctrl+C under npm arrives twice, from the terminal and from npm: the second one must not kill.
  let stopping: Promise<unknown> | undefined
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      stopping ??= demo.close()
    })
  }
  console.log(instructions(demo))
}
