import { createPublicKey } from 'node:crypto'
import {
  asymmetricAlgorithms,
  canonicalAlgorithm,
  secretAlgorithms,
  type JwsAlgorithm,
  type SecretAlgorithm,
} from '../jwt/algorithms.ts'
import { assertNames, assertRecord, assertText, list, text, texts, wholeNumber, wrong } from './assert.ts'
import type { ClaimRules } from '../jwt/claims.ts'
import { readClaimValues } from '../jwt/claim-values.ts'
import { metadataUrls } from '../jwks/discovery.ts'
import { isTrustworthy } from '../jwks/urls.ts'

/** One issuer's options, checked and with their defaults. */
export interface IssuerSettings {
  readonly issuer: string
  readonly algorithms: ReadonlySet<JwsAlgorithm>
  readonly rules: ClaimRules
  /** The bytes of a shared secret, where the issuer has one. */
  readonly secret: Buffer | undefined
  /** Where the JWK Set is, where it needn't be discovered. */
  readonly jwksUri: URL | undefined
  /** Where OpenID Connect Discovery puts the issuer's document; undefined where the options say where the keys are. */
  readonly openIdConfiguration: URL | undefined
}

/** Every option of one issuer. */
export const issuerOptionNames: readonly string[] = [
  'domain',
  'issuer',
  'audience',
  'jwksUri',
  'secret',
  'algorithms',
  'claims',
  'clockTolerance',
  'maxTokenAge',
  'requiredClaims',
  'profile',
]

/**
 * @param path - Stands before the names of options in errors.
 * @throws {TypeError}
 */
export function issuerSettings(options: unknown, path: string, allowInsecure: boolean): IssuerSettings {
  assertRecord(path.slice(0, -1), options)
  assertNames(path, options, issuerOptionNames)
  const { secret, jwksUri } = options
  if (secret !== undefined && jwksUri !== undefined) {
    wrong(
      `${path}secret`,
      'excludes "jwksUri": tokens are signed with a shared secret or with published keys',
    )
  }
  const algorithms = algorithmSettings(`${path}algorithms`, options.algorithms, secret !== undefined)
  const issuer = issuerName(options, path, allowInsecure)
  return Object.freeze({
    issuer,
    algorithms,
    rules: claimRules(options, path),
    secret: secret === undefined ? undefined : secretBytes(`${path}secret`, secret, algorithms),
    jwksUri: jwkSetUrl(options, issuer, path, allowInsecure),
    openIdConfiguration: secret === undefined && jwksUri === undefined ? metadataUrls(issuer)[0] : undefined,
  })
}

function issuerName(options: Record<string, unknown>, path: string, allowInsecure: boolean): string {
  const { domain, issuer, jwksUri, secret } = options
  if (domain !== undefined) {
    if (issuer !== undefined)
      wrong(`${path}domain`, 'excludes "issuer": it is the short form of https://DOMAIN/')
    if (typeof domain !== 'string' || !isHost(domain)) {
      wrong(
        `${path}domain`,
        'must be a host name in lower case with an optional port, such as tenant.eu.auth0.com',
      )
    }
    return `https://${domain}/`
  }
  if (issuer === undefined) wrong(`${path}issuer`, 'is required (or "domain", for an Auth0 tenant)')
  assertText(`${path}issuer`, issuer)
  if (jwksUri === undefined && secret === undefined) {
    keyUrl(`${path}issuer`, issuer, allowInsecure)
    if (/[?#\s]/.test(issuer)) {
      wrong(`${path}issuer`, 'must be a URL without a query, a fragment or white space')
    }
  }
  return issuer
}

/** Whether this is how a URL writes its host, and so how an issuer writes its name. */
function isHost(domain: string): boolean {
  const url = `https://${domain}/`
  return URL.canParse(url) && new URL(url).host === domain
}

function jwkSetUrl(
  { domain, jwksUri, secret }: Record<string, unknown>,
  issuer: string,
  path: string,
  allowInsecure: boolean,
): URL | undefined {
  if (secret !== undefined) return undefined
  if (jwksUri !== undefined) return keyUrl(`${path}jwksUri`, jwksUri, allowInsecure)
  return domain === undefined ? undefined : new URL('.well-known/jwks.json', issuer)
}

function keyUrl(name: string, value: unknown, allowInsecure: boolean): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !isTrustworthy(url, allowInsecure) || url.username || url.password) {
    wrong(
      name,
      'must be an https URL without credentials (http only on loopback or with allowInsecureIssuers: true)',
    )
  }
  return url
}

function algorithmSettings(name: string, value: unknown, symmetric: boolean): ReadonlySet<JwsAlgorithm> {
  const known = Object.keys(symmetric ? secretAlgorithms : asymmetricAlgorithms)
  if (value === undefined) return new Set((symmetric ? ['HS256'] : known) as JwsAlgorithm[])
  return new Set(
    list(name, value, (entryName, entry) => {
      const algorithm = canonicalAlgorithm(entry)
      if (algorithm === undefined || !known.includes(algorithm)) {
        wrong(entryName, `must be one of ${known.join(', ')} ${symmetric ? 'with' : 'without'} "secret"`)
      }
      return algorithm
    }),
  )
}

/** In which keys are passed around; base64 is read with either alphabet. */
const encodings = ['base64', 'hex'] as const

/** The public half of a key pair is no secret: whoever has read it could sign with it. */
function secretBytes(name: string, value: unknown, algorithms: ReadonlySet<JwsAlgorithm>): Buffer {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    wrong(name, 'must be a string or a Uint8Array')
  }
  const bytes = Buffer.from(value)
  const readings = [bytes, ...encodings.map((encoding) => Buffer.from(bytes.toString(), encoding))]
  if (readings.some((reading) => isKeyText(reading.toString()) || isPublicKeyBytes(reading))) {
    wrong(
      name,
      'must be a shared secret and not a PEM, DER or JWK key; published keys are found by "jwksUri"',
    )
  }
  const least = Math.max(
    ...[...algorithms].map((algorithm) => secretAlgorithms[algorithm as SecretAlgorithm]),
  )
  if (bytes.length < least) {
    wrong(name, `must have at least ${least} bytes for ${[...algorithms].join(', ')} (RFC 7518 section 3.2)`)
  }
  return bytes
}

function isKeyText(secret: string): boolean {
  if (secret.includes('-----BEGIN')) return true
  try {
    // Trimmed of a byte order mark too, which JSON.parse does not take for white space.
    return typeof JSON.parse(secret.trim()) === 'object'
  } catch {
    return false
  }
}

function isPublicKeyBytes(key: Buffer): boolean {
  return (['spki', 'pkcs1'] as const).some((type) => {
    try {
      return createPublicKey({ key, format: 'der', type }) !== undefined
    } catch {
      return false
    }
  })
}

function claimRules(options: Record<string, unknown>, path: string): ClaimRules {
  const { clockTolerance = 5_000, maxTokenAge, requiredClaims, profile } = options
  if (profile !== undefined && profile !== 'rfc9068') wrong(`${path}profile`, "must be 'rfc9068'")
  return Object.freeze({
    audience: audienceSettings(`${path}audience`, options.audience),
    clockTolerance: wholeNumber(`${path}clockTolerance`, clockTolerance, 0),
    maxTokenAge: maxTokenAge === undefined ? undefined : wholeNumber(`${path}maxTokenAge`, maxTokenAge, 1),
    requiredClaims: requiredClaims === undefined ? [] : list(`${path}requiredClaims`, requiredClaims, text),
    claims: readClaimValues(`${path}claims`, options.claims),
    profile,
  })
}

function audienceSettings(name: string, value: unknown): readonly string[] | false {
  if (value === false) return false
  const right = 'a non-empty string or a list of them, or false for an issuer whose tokens have no aud'
  if (value === undefined) wrong(name, `is required: ${right}`)
  if (value === '' || !(typeof value === 'string' || Array.isArray(value))) wrong(name, `must be ${right}`)
  return texts(name, value)
}
