import type { ProtectedResourceMetadata } from '../http/resource-metadata.ts'
import type { DPoPChallenge } from '../http/www-authenticate.ts'
import { asymmetricAlgorithms, canonicalAlgorithm, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { assertFunction, assertNames, assertRecord, invalidOption, list, wholeNumber } from './assert.ts'
import type { BindingMode, DPoPOptions, MtlsOptions, ReplayStore } from './sender-constraint-types.ts'

/** The checked options of sender-constrained tokens. */
export interface SenderConstraintSettings {
  /** Undefined: a token that is bound to a DPoP key is refused. */
  readonly dpop: DPoPSettings | undefined
  /** Undefined: a token that is bound to a client certificate is refused. */
  readonly mtls: MtlsSettings | undefined
}

/** The checked options of `dpop`, with defaults. Times are milliseconds. */
export interface DPoPSettings {
  readonly mode: BindingMode
  /** Without a slash at the end. Empty only if proofs are not checked. */
  readonly baseUrls: readonly string[]
  readonly algorithms: readonly AsymmetricAlgorithm[]
  readonly proofMaxAge: number
  readonly nonce: NonceSettings | undefined
  /** Undefined: used proofs are remembered in memory. */
  readonly replay: ReplayStore | undefined
  readonly maxProofs: number
}

/** The checked options of `dpop.nonce`, with defaults. */
export interface NonceSettings {
  readonly secret: Buffer
  /** In milliseconds. */
  readonly lifetime: number
}

/** The checked options of `mtls`, with defaults. */
export interface MtlsSettings {
  readonly mode: BindingMode
  /** In lower case, as Node has the names of headers. */
  readonly header: string | undefined
  readonly getCertificate: ((request: unknown) => unknown) | undefined
}

const dpopNames = {
  mode: true,
  baseUrl: true,
  algorithms: true,
  proofMaxAge: true,
  nonce: true,
  replay: true,
  maxProofs: true,
} satisfies Record<keyof DPoPOptions, true>
const mtlsNames = {
  mode: true,
  header: true,
  getCertificate: true,
} satisfies Record<keyof MtlsOptions<never>, true>

/** The names one level below `dpop` and `mtls`. */
export const senderConstraintNames: Readonly<Record<'dpop' | 'mtls', readonly string[]>> = {
  dpop: Object.keys(dpopNames),
  mtls: Object.keys(mtlsNames),
}

const modes: readonly string[] = ['allowed', 'required', 'unchecked'] satisfies BindingMode[]
const minSecretLength = 32

/** @throws {TypeError} */
export function readSenderConstraintOptions({
  dpop,
  mtls,
}: Record<string, unknown>): SenderConstraintSettings {
  return {
    dpop: dpop === undefined ? undefined : readDPoP(withMode('dpop', dpop)),
    mtls: mtls === undefined ? undefined : readMtls(withMode('mtls', mtls)),
  }
}

/**
 * Sets the default of `dpop.baseUrl`.
 *
 * @param origin - The origin of the protected resource, if there is one.
 * @throws {TypeError} There is neither.
 */
export function withBaseUrl(
  { dpop, mtls }: SenderConstraintSettings,
  origin: string | undefined,
): SenderConstraintSettings {
  if (!dpop || dpop.mode === 'unchecked' || dpop.baseUrls.length > 0) return { dpop, mtls }
  if (origin === undefined) {
    invalidOption('dpop.baseUrl', 'is required without "resource": the URL of this server as clients see it')
  }
  return { dpop: Object.freeze({ ...dpop, baseUrls: [origin] }), mtls }
}

/** Whether every token must be bound to a DPoP key. Where certificates are required as well, either binding is enough. */
function isDPoPRequired({ dpop, mtls }: SenderConstraintSettings): boolean {
  return dpop?.mode === 'required' && mtls?.mode !== 'required'
}

/** What challenges say of DPoP. Undefined if tokens can't be bound to a DPoP key. */
export function dpopChallengeOf(settings: SenderConstraintSettings): DPoPChallenge | undefined {
  const { dpop } = settings
  if (!dpop || dpop.mode === 'unchecked') return undefined
  return { algorithms: dpop.algorithms, isOnly: isDPoPRequired(settings) }
}

/** The members about bound tokens in the metadata of a protected resource (RFC 9728 section 2). */
export function metadataOf(settings: SenderConstraintSettings): Partial<ProtectedResourceMetadata> {
  const { dpop, mtls } = settings
  return {
    ...(mtls && mtls.mode !== 'unchecked' && { tls_client_certificate_bound_access_tokens: true }),
    ...(dpop && dpop.mode !== 'unchecked' && { dpop_signing_alg_values_supported: dpop.algorithms }),
    ...(isDPoPRequired(settings) && { dpop_bound_access_tokens_required: true }),
  }
}

function withMode(name: 'dpop' | 'mtls', value: unknown): Record<string, unknown> & { mode: BindingMode } {
  const right = modes.map((mode) => `'${mode}'`).join(', ')
  if (typeof value === 'string' && modes.includes(value)) return { mode: value as BindingMode }
  assertRecord(name, value, `must be ${right}, or an object`)
  assertNames(`${name}.`, value, senderConstraintNames[name])
  const { mode = 'allowed' } = value
  if (!modes.includes(mode as string)) invalidOption(`${name}.mode`, `must be one of ${right}`)
  return { ...value, mode: mode as BindingMode }
}

function readDPoP(options: Record<string, unknown> & { mode: BindingMode }): DPoPSettings {
  const { mode, baseUrl, proofMaxAge = 60_000, replay, maxProofs, nonce } = options
  if (replay !== undefined && maxProofs !== undefined) {
    invalidOption('dpop.maxProofs', 'excludes "dpop.replay": it limits the built-in store')
  }
  return Object.freeze({
    mode,
    baseUrls: baseUrl === undefined ? [] : readBaseUrls(baseUrl),
    algorithms: readAlgorithms(options.algorithms),
    proofMaxAge: wholeNumber('dpop.proofMaxAge', proofMaxAge, 1),
    nonce: nonce === undefined ? undefined : readNonce(nonce),
    replay: replay === undefined ? undefined : readReplayStore(replay),
    maxProofs: wholeNumber('dpop.maxProofs', maxProofs ?? 100_000, 1, 'proofs'),
  })
}

function readBaseUrls(value: unknown): string[] {
  return Array.isArray(value)
    ? list('dpop.baseUrl', value, readBaseUrl)
    : [readBaseUrl('dpop.baseUrl', value)]
}

function readBaseUrl(name: string, value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (!url || !isHttp || /[?#\s]/.test(value as string) || url.username !== '' || url.password !== '') {
    invalidOption(name, 'must be an https or http URL without query, fragment and credentials')
  }
  return url.href.replace(/\/$/, '')
}

function readAlgorithms(value: unknown): readonly AsymmetricAlgorithm[] {
  const known = Object.keys(asymmetricAlgorithms) as AsymmetricAlgorithm[]
  if (value === undefined) return Object.freeze(known)
  const algorithms = list('dpop.algorithms', value, (name, entry) => {
    const algorithm = known.find((one) => one === canonicalAlgorithm(entry))
    return algorithm ?? invalidOption(name, `must be one of ${known.join(', ')}`)
  })
  return Object.freeze([...new Set(algorithms)])
}

function readNonce(value: unknown): NonceSettings {
  assertRecord('dpop.nonce', value, 'must be { secret, lifetime }')
  assertNames('dpop.nonce.', value, ['secret', 'lifetime'])
  const { secret, lifetime = 300_000 } = value
  const bytes = typeof secret === 'string' || secret instanceof Uint8Array ? Buffer.from(secret) : undefined
  if (!bytes || bytes.length < minSecretLength) {
    invalidOption(
      'dpop.nonce.secret',
      `must be a string or a Uint8Array of at least ${minSecretLength} bytes`,
    )
  }
  return Object.freeze({ secret: bytes, lifetime: wholeNumber('dpop.nonce.lifetime', lifetime, 1) })
}

function readReplayStore(value: unknown): ReplayStore {
  if (typeof (value as Partial<ReplayStore> | null)?.add !== 'function') {
    invalidOption('dpop.replay', 'must be an object with a function add(id, ttl)')
  }
  return value as ReplayStore
}

function readMtls({
  mode,
  header,
  getCertificate,
}: Record<string, unknown> & { mode: BindingMode }): MtlsSettings {
  assertFunction('mtls.getCertificate', getCertificate)
  if (header !== undefined && !(typeof header === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(header))) {
    invalidOption('mtls.header', 'must be the name of a header')
  }
  if (header !== undefined && getCertificate !== undefined) {
    invalidOption('mtls.header', 'excludes "mtls.getCertificate"')
  }
  return Object.freeze({
    mode,
    header: header?.toLowerCase(),
    getCertificate: getCertificate as MtlsSettings['getCertificate'],
  })
}
