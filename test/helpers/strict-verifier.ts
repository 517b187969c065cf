import {
  calculateJwkThumbprint,
  compactVerify,
  importJWK,
  jwtVerify,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose'

/**
 * An access token verifier for comparison. It shares no code with the plugin. jose verifies signatures and claims, and the rules that
 * jose does not have are written here from the RFCs.
 */

export interface StrictIssuer {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly algorithms: readonly string[]
  readonly secret?: Uint8Array
  readonly keys: readonly unknown[]
  readonly requiredClaims?: readonly string[]
  readonly profile?: 'rfc9068'
}

type Json = Record<string, unknown>

/** Seconds. */
const clockTolerance = 5

const typesOf: Readonly<Record<string, readonly [kty: string, crv?: string]>> = {
  RS256: ['RSA'],
  RS384: ['RSA'],
  RS512: ['RSA'],
  PS256: ['RSA'],
  PS384: ['RSA'],
  PS512: ['RSA'],
  ES256: ['EC', 'P-256'],
  ES384: ['EC', 'P-384'],
  ES512: ['EC', 'P-521'],
  EdDSA: ['OKP', 'Ed25519'],
  HS256: ['oct'],
  HS384: ['oct'],
  HS512: ['oct'],
}

/**
 * Verifies a token.
 *
 * @param now - Seconds since the epoch.
 * @returns The claims; undefined if the token is refused.
 */
export async function verifyStrictly(
  token: string,
  issuers: readonly StrictIssuer[],
  now: number,
): Promise<JWTPayload | undefined> {
  const parts = token.split('.')
  const [header, claims] = parts.slice(0, 2).map(readJson)
  if (parts.length !== 3 || !header || !claims || !isCanonical(parts[2]!)) return undefined
  if ('crit' in header) return undefined
  const issuer = issuers.find((one) => one.issuer === claims.iss)
  const alg = header.alg === 'Ed25519' ? 'EdDSA' : header.alg
  if (!issuer || typeof alg !== 'string' || !issuer.algorithms.includes(alg)) return undefined
  for (const key of await keysFor(issuer, header.kid, alg)) {
    if (!(await isSignedBy(key, token, String(header.alg)))) continue
    const isAccepted = hasTypes(issuer, header, claims) && (await passesJose(key, token, issuer, now))
    return isAccepted ? (claims as JWTPayload) : undefined
  }
  return undefined
}

/** RFC 4648 section 3.5, RFC 7515 section 2. */
function isCanonical(segment: string): boolean {
  return Buffer.from(segment, 'base64url').toString('base64url') === segment
}

/** A JSON object in UTF-8, nested at most 64 deep. */
function readJson(segment: string): Json | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  const text = bytes.toString()
  if (!isCanonical(segment) || !Buffer.from(text).equals(bytes)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) && depthOf(value) <= 64 ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

async function keysFor(issuer: StrictIssuer, kid: unknown, alg: string): Promise<(CryptoKey | Uint8Array)[]> {
  if (alg.startsWith('HS')) return issuer.secret ? [issuer.secret] : []
  if (kid !== undefined && typeof kid !== 'string') return []
  const usable: { kid: unknown; key: CryptoKey }[] = []
  const seen = new Set<string>()
  for (const jwk of issuer.keys) {
    const key = isRecord(jwk) ? await importOnce(jwk, alg, issuer.issuer) : undefined
    if (!key) continue
    const { kid: name } = jwk as Json
    const identity = JSON.stringify([await calculateJwkThumbprint(jwk as JWK), name ?? null])
    if (!seen.has(identity)) usable.push({ kid: name, key })
    seen.add(identity)
  }
  // OpenID Connect Core 1.0 section 10.1.
  const matching = kid === undefined ? usable : usable.filter((one) => one.kid === kid)
  if (kid === undefined && matching.length !== 1) return []
  return matching.slice(0, 4).map(({ key }) => key)
}

const imported = new WeakMap<object, Map<string, Promise<CryptoKey | undefined>>>()

/** Each JWK is in the set of one issuer. */
function importOnce(jwk: Json, alg: string, issuer: string): Promise<CryptoKey | undefined> {
  const known = imported.get(jwk) ?? new Map<string, Promise<CryptoKey | undefined>>()
  imported.set(jwk, known)
  const key = known.get(alg) ?? importKey(jwk, alg, issuer)
  known.set(alg, key)
  return key
}

/** RFC 7517 section 4, RFC 7518 section 6. */
async function importKey(jwk: Json, alg: string, issuer: string): Promise<CryptoKey | undefined> {
  const { kid, kty, crv, use, key_ops: operations, n, e, x, y } = jwk
  const [type, curve] = typesOf[alg]!
  if (kty !== type || (curve !== undefined && crv !== curve)) return undefined
  // A lone surrogate is no text (RFC 7493 section 2.1).
  if (kid !== undefined && !(typeof kid === 'string' && kid.isWellFormed())) return undefined
  if ('use' in jwk && use !== 'sig') return undefined
  if ('key_ops' in jwk && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  if ('alg' in jwk && jwk.alg !== alg && !(jwk.alg === 'Ed25519' && alg === 'EdDSA')) return undefined
  if ('issuer' in jwk && !namesIssuer(jwk.issuer, issuer)) return undefined
  const secrets = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].filter((name) => name in jwk)
  if (secrets.some((name) => jwk[name] !== null)) return undefined
  const members = kty === 'RSA' ? { n, e } : kty === 'EC' ? { crv, x, y } : { crv, x }
  try {
    const key = (await importJWK({ kty, ...members } as JWK, alg)) as CryptoKey
    return kty === 'RSA' && !isUsualRsa(key) ? undefined : key
  } catch {
    return undefined
  }
}

interface RsaAlgorithm {
  readonly modulusLength: number
  readonly publicExponent: Uint8Array
}

/** RFC 7518 section 3.3, with upper limits. */
function isUsualRsa({ algorithm }: CryptoKey): boolean {
  const { modulusLength, publicExponent } = algorithm as unknown as RsaAlgorithm
  const exponent = BigInt(`0x${Buffer.from(publicExponent).toString('hex')}`)
  return modulusLength >= 2_048 && modulusLength <= 8_192 && exponent >= 3n && exponent < 2n ** 31n
}

/** `{tenantid}` in the issuer of a key stands for one segment of the path. */
function namesIssuer(named: unknown, issuer: string): boolean {
  if (typeof named !== 'string') return false
  const pattern = named
    .split('/')
    .map((segment) => (segment === '{tenantid}' ? '[^/]+' : segment.replaceAll(/[^\w]/g, '\\$&')))
  return new RegExp(`^${pattern.join('/')}$`).test(issuer)
}

async function isSignedBy(key: CryptoKey | Uint8Array, token: string, alg: string): Promise<boolean> {
  const { modulusLength } = (key instanceof Uint8Array ? {} : key.algorithm) as { modulusLength?: number }
  const length = Buffer.from(token.split('.')[2]!, 'base64url').length
  // RFC 8017 sections 8.1.2 and 8.2.2.
  if (modulusLength !== undefined && length !== Math.ceil(modulusLength / 8)) return false
  return compactVerify(token, key, { algorithms: [alg] }).then(
    () => true,
    () => false,
  )
}

/** RFC 7519 section 4.1, RFC 8725 section 3.11, RFC 9068 section 2.2. */
function hasTypes({ profile, requiredClaims = [] }: StrictIssuer, { typ }: Json, claims: Json): boolean {
  const isAccessToken = typeof typ === 'string' && /^(application\/)?at\+jwt$/i.test(typ)
  const isOtherType = typ !== undefined && !isAccessToken && (typeof typ !== 'string' || typ.includes('+'))
  if (isOtherType || (profile && !isAccessToken)) return false
  const required = ['exp', 'aud', ...(profile ? ['iat', 'sub', 'client_id', 'jti'] : []), ...requiredClaims]
  if (required.some((name) => !Object.hasOwn(claims, name) || claims[name] === null)) return false
  if (['exp', 'nbf', 'iat'].some((name) => name in claims && !Number.isFinite(claims[name]))) return false
  if (['sub', 'client_id', 'jti'].some((name) => name in claims && typeof claims[name] !== 'string')) {
    return false
  }
  // A token that is bound to a key or a certificate needs a proof, which no request here has (RFC 7800, RFC 8705, RFC 9449).
  const { cnf } = claims
  if ('cnf' in claims && !(isRecord(cnf) && !('jkt' in cnf) && !('x5t#S256' in cnf))) return false
  const audience = [claims.aud].flat(1)
  return audience.every((one) => typeof one === 'string')
}

async function passesJose(
  key: CryptoKey | Uint8Array,
  token: string,
  { issuer, audience }: StrictIssuer,
  now: number,
): Promise<boolean> {
  return jwtVerify(token, key, {
    issuer,
    audience: [...audience],
    clockTolerance,
    currentDate: new Date(now * 1000),
  }).then(
    () => true,
    () => false,
  )
}
