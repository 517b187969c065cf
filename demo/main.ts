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

  // Under npm, Ctrl+C sends the signal twice: from the terminal and from npm. The second one must not kill the process.
  let stopping: Promise<unknown> | undefined
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      stopping ??= demo.close()
    })
  }
  console.log(instructions(demo))
}
