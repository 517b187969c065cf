import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './program.ts'

const openssl = findProgram('openssl')

/** Why tests with an authority are left out, if they are: Node can't issue certificates. */
export const { skip } = openssl

/** A certificate authority that nobody knows, and a certificate that it gave to localhost. */
export function createAuthority(): { ca: Buffer; cert: Buffer; key: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), 'authority-'))
  const run = (command: string): void => {
    execFileSync(openssl.path, command.split(' '), { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  try {
    writeFileSync(join(directory, 'names'), 'subjectAltName=DNS:localhost')
    run('req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt')
    run('req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out request')
    run('x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert')
    const [ca, cert, key] = ['ca.crt', 'cert', 'key'].map((file) => readFileSync(join(directory, file)))
    return { ca: ca!, cert: cert!, key: key! }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
