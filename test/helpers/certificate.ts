import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './program.ts'

export interface Certificate {
  key?: Buffer
  cert?: Buffer
  /** For NODE_EXTRA_CA_CERTS. */
  path: string
  /** Why there is none. */
  skip: string | false
}

/** A fresh certificate for localhost. Node can't issue one, openssl can. */
export function certificate(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-cert-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'cert.pem')
  const keyPath = join(directory, 'key.pem')
  const request =
    'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost'
  const { path: openssl, skip } = findProgram('openssl')
  if (skip !== false) return { path, skip }
  execFileSync(openssl, [...request.split(' '), '-keyout', keyPath, '-out', path], { stdio: 'pipe' })
  return { key: readFileSync(keyPath), cert: readFileSync(path), path, skip: false }
}
