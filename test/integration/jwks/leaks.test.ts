import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { hostile } from '../../helpers/hostile.ts'

test(
  'outages of every kind leave no socket, no timer and no rejection behind',
  { timeout: 60_000 },
  async (t) => {
    const program = join(import.meta.dirname, 'child/outages.ts')
    const child = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill())
    const [output, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ])
    t.assert.equal(errors, '')
    t.assert.equal(code, 0)
    const lines = output.trim().split('\n')
    t.assert.equal(lines.at(-1), 'closed, timers left: 0')
    const statuses = lines.slice(0, -1)
    t.assert.equal(statuses.length, (Object.keys(hostile).length + 1) * 3)
    t.assert.deepEqual(new Set(statuses), new Set(['503']))
  },
)
