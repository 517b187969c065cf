import buildGetJwks from 'get-jwks'
import { truncateKid } from '../channels.ts'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { isObject } from '../jwt/json.ts'
import { importJwk, kindOf, malformed, maxKeys, type SkippedKey, type VerificationKey } from './jwk.ts'

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
const smallSet = 16
/** Maximum number of keys that are made to find a usable one. */
const maxTried = 100
/** Maximum number of keys with the same kid and algorithm. A token is verified with each of them, until one fits. */
const maxNamesakes = 4

/** What get-jwks stores in place of a JWK: the keys with the same kid and algorithm, in the order of the set. */
type Namesakes = buildGetJwks.JWK & { readonly keys: VerificationKey[] }

/**
 * The usable keys of one good answer. Keys with a kid are in a get-jwks cache of their own. The cache is filled once, and get-jwks never
 * fetches. The next good answer replaces the whole cache. So a stale copy in get-jwks can't bring a removed key back, and unknown `kid`s
 * can't evict keys.
 */
export class JwkSet {
  readonly skipped: readonly SkippedKey[]
  /** All keys, by their identity. */
  readonly #keys: ReadonlyMap<string, VerificationKey>
  /** The cache keys of get-jwks by kid and algorithm. Computing a cache key for each token would take longer. */
  readonly #cacheKeys = new Map<string, Map<AsymmetricAlgorithm, string>>()
  readonly #getJwks: buildGetJwks.GetJwks
  /** The keys for tokens without kid, once they are known. */
  readonly #onlyKeys = new Map<AsymmetricAlgorithm, readonly VerificationKey[]>()

  /**
   * @param previous - A key that is unchanged since the previous set stays the same object.
   * @throws {UnusableJwkSet}
   */
  constructor(document: unknown, issuer: string, previous?: JwkSet) {
    if (!isObject(document) || !Array.isArray(document.keys)) throw new UnusableJwkSet('not a JWK Set')
    if (document.keys.length > maxKeys) throw new UnusableJwkSet(`over ${maxKeys} keys`)
    const { keys, skipped } = importAll(document.keys as unknown[], issuer, previous && previous.#keys)
    if (![...keys.values()].slice(0, maxTried).some(isUsable)) {
      throw new UnusableJwkSet('a JWK Set without a usable key', skipped)
    }
    this.#keys = keys
    this.skipped = skipped
    // The whole set fits, and no entry expires: JwksState decides how long the set may be used.
    this.#getJwks = buildGetJwks({ max: keys.size, ttl: Number.MAX_SAFE_INTEGER })
    for (const key of keys.values()) if (key.kid !== undefined) this.#add(key.kid, key, issuer)
  }

  get kids(): string[] {
    return [...this.#cacheKeys.keys()]
  }

  /** The keys of an earlier set that are not in this set. */
  removedSince(previous: JwkSet): VerificationKey[] {
    return [...previous.#keys.values()].filter((key) => this.#keys.get(identityOf(key)) !== key)
  }

  /**
   * The usable keys for a token: those with its kid and algorithm (RFC 7517 section 4.5). Without a kid it is the key for the algorithm if
   * the issuer has exactly one (OpenID Connect Core 1.0 section 10.1).
   */
  find(kid: string | undefined, alg: AsymmetricAlgorithm): readonly VerificationKey[] {
    return kid === undefined ? this.#findOnly(alg) : this.#stored(kid, alg).filter(isUsable)
  }

  /** Whether the set has a key with this `kid`, for any algorithm. */
  has(kid: string): boolean {
    return this.#cacheKeys.has(kid)
  }

  #add(kid: string, key: VerificationKey, issuer: string): void {
    const cacheKey = this.#getJwks.generateCacheKey(key.alg, kid, issuer)
    const keys = [...this.#stored(kid, key.alg), key]
    this.#getJwks.cache.set(cacheKey, { alg: key.alg, kid, domain: issuer, keys })
    const byAlgorithm = this.#cacheKeys.get(kid) ?? new Map<AsymmetricAlgorithm, string>()
    this.#cacheKeys.set(kid, byAlgorithm.set(key.alg, cacheKey))
  }

  #stored(kid: string, alg: AsymmetricAlgorithm): readonly VerificationKey[] {
    const cacheKey = this.#cacheKeys.get(kid)?.get(alg)
    return cacheKey === undefined ? [] : (this.#getJwks.cache.get(cacheKey) as Namesakes).keys
  }

  #findOnly(alg: AsymmetricAlgorithm): readonly VerificationKey[] {
    let only = this.#onlyKeys.get(alg)
    if (!only) {
      const fitting = [...this.#keys.values()].filter((key) => key.alg === alg)
      // Making the keys of a large set would block the process.
      const usable = fitting.length > smallSet ? [] : fitting.filter(isUsable)
      this.#onlyKeys.set(alg, (only = usable.length === 1 ? usable : []))
    }
    return only
  }
}

/** @param known - The keys of the previous set. */
function importAll(
  jwks: unknown[],
  issuer: string,
  known: ReadonlyMap<string, VerificationKey> | undefined,
): { keys: Map<string, VerificationKey>; skipped: SkippedKey[] } {
  const keys = new Map<string, VerificationKey>()
  const namesakes = new Map<string, number>()
  const skipped: SkippedKey[] = []
  // A known key is made already.
  const latest = (key: VerificationKey): VerificationKey => known?.get(identityOf(key)) ?? key
  for (const jwk of jwks) {
    const skip = (reason: string): void => {
      const shown = isObject(jwk) ? { kid: truncateKid(jwk.kid), ...kindOf(jwk) } : { kid: undefined }
      skipped.push({ ...shown, reason })
    }
    const imported = importJwk(jwk, issuer)
    if (typeof imported === 'string') skip(imported)
    else if (jwks.length <= smallSet && !isUsable(latest(imported[0]!))) skip(malformed)
    else {
      for (const key of imported) {
        const identity = identityOf(key)
        // A key that is listed twice is no mistake.
        if (keys.has(identity)) continue
        const name = `${key.alg} ${key.kid}`
        const count = namesakes.get(name) ?? 0
        if (key.kid !== undefined && count === maxNamesakes) {
          skip(`it is not among the first ${maxNamesakes} ${key.alg} keys of its kid`)
        } else {
          namesakes.set(name, count + 1)
          keys.set(identity, known?.get(identity) ?? key)
        }
      }
    }
  }
  return { keys, skipped }
}

/** Two keys with the same identity are the same key. */
function identityOf({ alg, material, kid }: VerificationKey): string {
  return `${alg} ${material} ${JSON.stringify(kid)}`
}

function isUsable(key: VerificationKey): boolean {
  return key.pem !== undefined
}
