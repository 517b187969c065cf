import buildGetJwks from 'get-jwks'
import type { AsymmetricAlgorithm } from '../algorithms.ts'
import { isObject } from '../json.ts'
import { importJwk, UnusableKey, type VerificationKey } from './key.ts'

/** A key that the issuer published and that is never used. */
export interface SkippedKey {
  readonly kid: string | undefined
  readonly reason: string
}

/** A document that is no JWK Set, or one in which no key can be used. */
export class UnusableKeySet extends Error {}

/** Sets of so many entries are checked whole; of larger ones a key is made when a token first names it. */
const fewKeys = 100
/** Larger ones would take too long just to look at. */
const mostKeys = 10_000
/** So much of a `kid` is enough to know it by in a log. */
const kidPrefix = 64

type StoredKey = buildGetJwks.JWK & VerificationKey

/**
 * The usable keys of one good answer, in a get-jwks cache of their own: filled here once, never by get-jwks
 * itself, and left behind whole when the next good answer comes. So neither its copies of expired entries nor a
 * crowd of unknown kids has any say in which keys are there.
 */
export class KeySet {
  readonly skipped: readonly SkippedKey[]
  readonly #issuer: string
  readonly #kids = new Set<string>()
  readonly #store: buildGetJwks.GetJwks

  /** @param previous - The set before this one: a key that has not changed stays the same object. */
  constructor(document: unknown, issuer: string, previous?: KeySet) {
    if (!isObject(document) || !Array.isArray(document.keys)) throw new UnusableKeySet('not a JWK Set')
    if (document.keys.length > mostKeys) throw new UnusableKeySet(`over ${mostKeys} keys`)
    const { keys, skipped } = importAll(document.keys)
    if (keys.length === 0) throw new UnusableKeySet('a JWK Set without a usable key')
    this.#issuer = issuer
    this.skipped = skipped
    // Room for the whole set and no expiry: how long it may be used is decided by the answers, not in here.
    this.#store = buildGetJwks({ max: keys.length, ttl: Number.MAX_SAFE_INTEGER })
    for (const key of keys) {
      const known = previous && previous.#stored(key.kid, key.alg)
      const current = known?.material === key.material ? known : key
      this.#store.cache.set(this.#name(key.kid, key.alg), current as StoredKey)
      this.#kids.add(key.kid)
    }
  }

  /** The key for a `kid` and an algorithm. */
  find(kid: string, alg: AsymmetricAlgorithm): VerificationKey | undefined {
    const key = this.#stored(kid, alg)
    return key && isUsable(key) ? key : undefined
  }

  /** Whether the issuer has a usable key of this `kid`, for any algorithm. */
  has(kid: string): boolean {
    return this.#kids.has(kid)
  }

  #stored(kid: string, alg: AsymmetricAlgorithm): VerificationKey | undefined {
    // Asked first for the kid alone: only names that were good enough to be stored can be made cache keys.
    if (!this.#kids.has(kid)) return undefined
    return this.#store.cache.get(this.#name(kid, alg)) as StoredKey | undefined
  }

  #name(kid: string, alg: AsymmetricAlgorithm): string {
    return this.#store.generateCacheKey(alg, kid, this.#issuer)
  }
}

/** Of keys that share kid and algorithm the first is taken, as get-jwks would. */
function importAll(jwks: unknown[]): { keys: VerificationKey[]; skipped: SkippedKey[] } {
  const keys = new Map<string, VerificationKey>()
  const skipped: SkippedKey[] = []
  for (const jwk of jwks) {
    const kid = isObject(jwk) && typeof jwk.kid === 'string' ? jwk.kid.slice(0, kidPrefix) : undefined
    try {
      const imported = importJwk(jwk)
      if (jwks.length <= fewKeys) void imported[0]!.pem
      for (const key of imported) {
        const name = `${key.alg} ${key.kid}`
        if (keys.has(name)) skipped.push({ kid, reason: `it is not the first ${key.alg} key of its kid` })
        else keys.set(name, key)
      }
    } catch (error) {
      if (!(error instanceof UnusableKey)) throw error
      skipped.push({ kid, reason: error.message })
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
