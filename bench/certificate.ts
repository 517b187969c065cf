import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
  /** For NODE_EXTRA_CA_CERTS. */
  readonly path: string
}

/** A new certificate for 127.0.0.1, made by openssl: Node can't create certificates. */
export function createCertificate(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-bench-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'cert.pem')
  const keyPath = join(directory, 'key.pem')
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1'
  execFileSync('openssl', [...request.split(' '), '-keyout', keyPath, '-out', path], { stdio: 'pipe' })
  return { key: readFileSync(keyPath), cert: readFileSync(path), path }
}
