import buildGetJwks from 'get-jwks'
import { truncateKid } from '../channels.ts'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { isObject } from '../jwt/json.ts'
import { importJwk, kindOf, malformed, type SkippedKey, type VerificationKey } from './jwk.ts'

/** The document is not a JWK Set, or no key in it can be used. */
export class UnusableJwkSet extends Error {
  /** The keys of the set, with the reasons. */
  readonly skipped: readonly SkippedKey[]

  constructor(reason: string, skipped: readonly SkippedKey[] = []) {
    super(reason)
    this.skipped = skipped
  }
}

/** Up to this size all keys of a set are made at once. Keys of larger sets are made when a token names them. */
const smallSet = 100
/** Checking the members of a larger set would block the process. */
const maxKeys = 10_000

type StoredKey = buildGetJwks.JWK & VerificationKey

/**
 * The usable keys of one good answer, in a get-jwks cache of their own. The cache is filled once, and get-jwks never fetches. The next
 * good answer replaces the whole cache. So a stale copy in get-jwks can't bring a removed key back, and unknown `kid`s can't evict keys.
 */
export class JwkSet {
  readonly skipped: readonly SkippedKey[]
  readonly #keys = new Set<VerificationKey>()
  /** The cache keys of get-jwks by kid and algorithm. Computing a cache key for each token would take longer. */
  readonly #cacheKeys = new Map<string, Map<AsymmetricAlgorithm, string>>()
  readonly #getJwks: buildGetJwks.GetJwks

  /**
   * @param previous - A key that is unchanged since the previous set stays the same object.
   * @throws {UnusableJwkSet}
   */
  constructor(document: unknown, issuer: string, previous?: JwkSet) {
    if (!isObject(document) || !Array.isArray(document.keys)) throw new UnusableJwkSet('not a JWK Set')
    if (document.keys.length > maxKeys) throw new UnusableJwkSet(`over ${maxKeys} keys`)
    const { keys, skipped } = importAll(document.keys as unknown[], issuer)
    if (!keys.slice(0, smallSet).some(isUsable)) {
      throw new UnusableJwkSet('a JWK Set without a usable key', skipped)
    }
    this.skipped = skipped
    // The whole set fits, and no entry expires: JwksState decides how long the set may be used.
    this.#getJwks = buildGetJwks({ max: keys.length, ttl: Number.MAX_SAFE_INTEGER })
    for (const key of keys) {
      const known = previous && previous.#stored(key.kid, key.alg)
      this.#add(known?.material === key.material ? known : key, issuer)
    }
  }

  get kids(): string[] {
    return [...this.#cacheKeys.keys()]
  }

  /** The keys of an earlier set that are not in this set. */
  removedSince(previous: JwkSet): VerificationKey[] {
    return [...previous.#keys].filter((key) => !this.#keys.has(key))
  }

  find(kid: string, alg: AsymmetricAlgorithm): VerificationKey | undefined {
    const key = this.#stored(kid, alg)
    return key && isUsable(key) ? key : undefined
  }

  /** Whether the set has a key with this `kid`, for any algorithm. */
  has(kid: string): boolean {
    return this.#cacheKeys.has(kid)
  }

  #add(key: VerificationKey, issuer: string): void {
    const cacheKey = this.#getJwks.generateCacheKey(key.alg, key.kid, issuer)
    this.#getJwks.cache.set(cacheKey, key as StoredKey)
    this.#keys.add(key)
    const byAlgorithm = this.#cacheKeys.get(key.kid) ?? new Map<AsymmetricAlgorithm, string>()
    this.#cacheKeys.set(key.kid, byAlgorithm.set(key.alg, cacheKey))
  }

  #stored(kid: string, alg: AsymmetricAlgorithm): VerificationKey | undefined {
    const cacheKey = this.#cacheKeys.get(kid)?.get(alg)
    return cacheKey === undefined ? undefined : (this.#getJwks.cache.get(cacheKey) as StoredKey | undefined)
  }
}

/** Of keys with the same kid and algorithm the first one is used, as in get-jwks. */
function importAll(jwks: unknown[], issuer: string): { keys: VerificationKey[]; skipped: SkippedKey[] } {
  const keys = new Map<string, VerificationKey>()
  const skipped: SkippedKey[] = []
  for (const jwk of jwks) {
    const skip = (reason: string): void => {
      const shown = isObject(jwk) ? { kid: truncateKid(jwk.kid), ...kindOf(jwk) } : { kid: undefined }
      skipped.push({ ...shown, reason })
    }
    const imported = importJwk(jwk, issuer)
    if (typeof imported === 'string') skip(imported)
    else if (jwks.length <= smallSet && !isUsable(imported[0]!)) skip(malformed)
    else {
      for (const key of imported) {
        const name = `${key.alg} ${key.kid}`
        const first = keys.get(name)
        if (!first) keys.set(name, key)
        else if (first.material !== key.material) skip(`it is not the first ${key.alg} key of its kid`)
      }
    }
  }
  return { keys: [...keys.values()], skipped }
}

function isUsable(key: VerificationKey): boolean {
  return key.pem !== undefined
}
