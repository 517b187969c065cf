import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './program.ts'

const openssl = findProgram('openssl')

/** The reason to skip tests that need a certificate: Node can't issue one, OpenSSL can. */
export const { skip } = openssl

/** Creates a certificate authority that no system trusts, and a certificate from it for localhost. All are PEM. */
export function createCertificate(): { ca: Buffer; cert: Buffer; key: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), 'certificate-'))
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
