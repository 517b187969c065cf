import buildGetJwks from 'get-jwks'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { kidForDisplay } from '../channels.ts'
import { isObject } from '../jwt/json.ts'
import { setStackTraceLimit } from '../stack-traces.ts'
import { importJwk, kindOf, UnusableKey, type SkippedKey, type VerificationKey } from './jwk.ts'

/** A document that is no JWK Set, or one in which no key can be used. */
export class UnusableKeySet extends Error {
  /** Its keys, where it has any, and why they can't be used. */
  readonly skipped: readonly SkippedKey[]

  constructor(reason: string, skipped: readonly SkippedKey[] = []) {
    super(reason)
    this.skipped = skipped
  }
}

/** So many keys are made at once, to see whether a set is any good; of larger ones each when a token first names it. */
const fewKeys = 100
/** Larger ones would take too long just to look at. */
const mostKeys = 10_000

type StoredKey = buildGetJwks.JWK & VerificationKey

/**
 * The usable keys of one good answer, in a get-jwks cache of their own: filled here once, never by get-jwks
 * itself, and left behind whole when the next good answer comes. So neither its copies of expired entries nor a
 * crowd of unknown kids has any say in which keys are there.
 */
export class KeySet {
  readonly skipped: readonly SkippedKey[]
  readonly #keys = new Set<VerificationKey>()
  /** By kid and algorithm the names of the keys in the store: making one anew for each token would take longer. */
  readonly #names = new Map<string, Map<AsymmetricAlgorithm, string>>()
  readonly #store: buildGetJwks.GetJwks

  /** @param previous - The set before this one: a key that has not changed stays the same object. */
  constructor(document: unknown, issuer: string, previous?: KeySet) {
    if (!isObject(document) || !Array.isArray(document.keys)) throw new UnusableKeySet('not a JWK Set')
    if (document.keys.length > mostKeys) throw new UnusableKeySet(`over ${mostKeys} keys`)
    const { keys, skipped } = withoutStackTraces(() => importAll(document.keys as unknown[]))
    if (!keys.slice(0, fewKeys).some(isUsable)) {
      throw new UnusableKeySet('a JWK Set without a usable key', skipped)
    }
    this.skipped = skipped
    // Room for the whole set and no expiry: how long it may be used is decided by the answers, not in here.
    this.#store = buildGetJwks({ max: keys.length, ttl: Number.MAX_SAFE_INTEGER })
    for (const key of keys) {
      const known = previous && previous.#stored(key.kid, key.alg)
      this.#add(known?.material === key.material ? known : key, issuer)
    }
  }

  /** The `kid`s of its keys. */
  get kids(): string[] {
    return [...this.#names.keys()]
  }

  /** The keys of another set that are not in this one. */
  missing(other: KeySet): VerificationKey[] {
    return [...other.#keys].filter((key) => !this.#keys.has(key))
  }

  /** The key for a `kid` and an algorithm. */
  find(kid: string, alg: AsymmetricAlgorithm): VerificationKey | undefined {
    const key = this.#stored(kid, alg)
    return key && isUsable(key) ? key : undefined
  }

  /** Whether the issuer has a usable key of this `kid`, for any algorithm. */
  has(kid: string): boolean {
    return this.#names.has(kid)
  }

  #add(key: VerificationKey, issuer: string): void {
    const name = this.#store.generateCacheKey(key.alg, key.kid, issuer)
    this.#store.cache.set(name, key as StoredKey)
    this.#keys.add(key)
    const names = this.#names.get(key.kid) ?? new Map<AsymmetricAlgorithm, string>()
    this.#names.set(key.kid, names.set(key.alg, name))
  }

  #stored(kid: string, alg: AsymmetricAlgorithm): VerificationKey | undefined {
    const name = this.#names.get(kid)?.get(alg)
    return name === undefined ? undefined : (this.#store.cache.get(name) as StoredKey | undefined)
  }
}

/** Thousands of bad keys are as many errors, of which nobody asks where they come from. */
function withoutStackTraces<T>(step: () => T): T {
  const limit = setStackTraceLimit(0)
  try {
    return step()
  } finally {
    setStackTraceLimit(limit)
  }
}

/** Of keys that share kid and algorithm the first is taken, as get-jwks would. */
function importAll(jwks: unknown[]): { keys: VerificationKey[]; skipped: SkippedKey[] } {
  const keys = new Map<string, VerificationKey>()
  const skipped: SkippedKey[] = []
  for (const jwk of jwks) {
    const skip = (reason: string): void => {
      const shown = isObject(jwk) ? { kid: kidForDisplay(jwk.kid), ...kindOf(jwk) } : { kid: undefined }
      skipped.push({ ...shown, reason })
    }
    try {
      const imported = importJwk(jwk)
      if (jwks.length <= fewKeys) void imported[0]!.pem
      for (const key of imported) {
        const name = `${key.alg} ${key.kid}`
        if (keys.has(name)) skip(`it is not the first ${key.alg} key of its kid`)
        else keys.set(name, key)
      }
    } catch (error) {
      if (!(error instanceof UnusableKey)) throw error
      skip(error.message)
    }
  }
  return { keys: [...keys.values()], skipped }
}

function isUsable(key: VerificationKey): boolean {
  try {
    return key.pem !== ''
  } catch {
    return false
  }
}
