import { LRUCache } from 'lru-cache'
import { JwksAuthError, unavailableRefusal } from '../errors.ts'
import { isThenable } from '../hook.ts'
import { createIssuer, type Issuer, type IssuerContext } from './issuer.ts'
import { issuerSettings, type IssuerSettings } from '../options/issuer-options.ts'
import type { IssuerFinder } from '../options/types.ts'
import { isSame } from '../options/same-settings.ts'

/** The issuers whose tokens are accepted, by the name that a token gives its issuer. */
export interface TrustedIssuers {
  /** The issuer of this very name, undefined where it is none of ours: at once where nobody has to be asked. */
  named(iss: unknown): Issuer | undefined | Promise<Issuer | undefined>
  /** Whether it is known to be one of ours. Asks nobody. */
  has(iss: unknown): boolean
  /** Those that are known. */
  all(): Issuer[]
  /** Ends the fetches in flight; there will be no others. */
  close(): void
}

/** What trusted issuers need. */
export interface TrustedIssuersContext extends IssuerContext {
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number
}

/** What the application's function threw, as the `cause`: its own error and no refusal of ours. */
export class FinderFailure extends Error {}

export function trustedIssuers(
  issuers: readonly IssuerSettings[] | IssuerFinder,
  context: TrustedIssuersContext,
): TrustedIssuers {
  return typeof issuers === 'function' ? new FoundIssuers(issuers, context) : listed(issuers, context)
}

function listed(issuers: readonly IssuerSettings[], context: TrustedIssuersContext): TrustedIssuers {
  const known = new Map<unknown, Issuer>(
    issuers.map((settings) => [settings.issuer, createIssuer(settings, context)]),
  )
  return {
    named: (iss) => known.get(iss),
    has: (iss) => known.has(iss),
    all: () => [...known.values()],
    close() {
      for (const issuer of known.values()) issuer.close()
    },
  }
}

/** Characters that the name of an issuer may have; there is nobody to ask about a longer one. */
const longestName = 1_024
/** Issuers that are remembered, and names that are nobody's, each in a memory that has nothing to do with the other. */
const most = 10_000
/** Characters of the names that are nobody's: a stranger chooses them. */
const mostCharacters = 1_048_576
/** Different lines in the log. */
const mostTold = 20
const otherIssuer =
  'the function "issuers" returned the options of another issuer than the one it was asked for'

/**
 * Whether there may be such an issuer. A lone surrogate or a control character is in no URL, and a function that takes it
 * to a database or into a URL would throw.
 */
function isName(iss: unknown): iss is string {
  return (
    typeof iss === 'string' &&
    iss !== '' &&
    iss.length <= longestName &&
    iss.isWellFormed() &&
    !/\p{Cc}/u.test(iss)
  )
}

interface Known {
  readonly issuer: Issuer
  readonly settings: IssuerSettings
}

/** Those of an application's function, each asked for once in an interval. */
class FoundIssuers implements TrustedIssuers {
  readonly #find: IssuerFinder
  readonly #context: TrustedIssuersContext
  readonly #now: () => number
  readonly #known: LRUCache<string, Known>
  /** Names that are nobody's, and when they were asked for. */
  readonly #unknown: LRUCache<string, number>
  /** Those that are being asked for, and how the waiting ends without an answer. */
  readonly #asking = new Map<string, { answer: Promise<Issuer | undefined>; giveUp: () => void }>()
  readonly #told = new Set<string>()
  #isClosed = false

  constructor(find: IssuerFinder, context: TrustedIssuersContext) {
    this.#find = find
    this.#context = context
    this.#now = context.now ?? (() => performance.now())
    this.#known = new LRUCache({ max: most, dispose: ({ issuer }) => issuer.dismiss() })
    this.#unknown = new LRUCache({
      max: most,
      maxSize: mostCharacters,
      sizeCalculation: (_askedAt, iss) => iss.length,
    })
  }

  named(iss: unknown): Issuer | undefined | Promise<Issuer | undefined> {
    if (!isName(iss)) return undefined
    const now = this.#now()
    const known = this.#known.get(iss)
    if (known && now < known.issuer.trustedUntil) return known.issuer
    const unknownAt = this.#unknown.get(iss)
    if (unknownAt !== undefined && now - unknownAt < this.#context.jwks.cooldown) return undefined
    return this.#asking.get(iss)?.answer ?? this.#ask(iss, now)
  }

  has(iss: unknown): boolean {
    return typeof iss === 'string' && this.#known.has(iss)
  }

  /** Those that may have been taken away since they were asked for count no longer. */
  all(): Issuer[] {
    const now = this.#now()
    const known = Array.from(this.#known.values())
    return known.map(({ issuer }) => issuer).filter(({ trustedUntil }) => now < trustedUntil)
  }

  close(): void {
    this.#isClosed = true
    for (const { giveUp } of this.#asking.values()) giveUp()
    for (const { issuer } of this.#known.values()) issuer.close()
  }

  #ask(iss: string, now: number): Issuer | undefined | Promise<Issuer | undefined> {
    const find = this.#find
    let found: ReturnType<IssuerFinder>
    try {
      found = find(iss)
    } catch (error) {
      throw new FinderFailure('', { cause: error })
    }
    if (!isThenable(found)) return this.#learn(iss, found, now)
    let giveUp!: () => void
    const unanswered = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(new JwksAuthError(unavailableRefusal(1)))
    })
    const deadline = setTimeout(giveUp, this.#context.jwks.timeout)
    const asked = Promise.resolve(found).catch((error: unknown) => {
      throw new FinderFailure('', { cause: error })
    })
    const answer = Promise.race([asked, unanswered])
      .then((options) => this.#learn(iss, options, now))
      .finally(() => {
        clearTimeout(deadline)
        this.#asking.delete(iss)
      })
    this.#asking.set(iss, { answer, giveUp })
    return answer
  }

  #learn(iss: string, options: unknown, askedAt: number): Issuer | undefined {
    // Null is what databases say, and false what comes of `tenants.has(iss) && …`.
    const settings = options ? this.#read(options) : undefined
    if (settings?.issuer !== iss) {
      if (settings) this.#tell(otherIssuer, { issuer: settings.issuer })
      this.#known.delete(iss)
      this.#unknown.set(iss, askedAt)
      return undefined
    }
    const known = this.#known.peek(iss)
    const isKnown = known !== undefined && isSame(known.settings, settings)
    const issuer = isKnown ? known.issuer : createIssuer(settings, this.#context)
    issuer.trustedUntil = askedAt + this.#context.jwks.refreshInterval
    if (isKnown) return issuer
    if (this.#isClosed) issuer.close()
    this.#known.set(iss, { issuer, settings })
    return issuer
  }

  /** Wrong options are the application's mistake, of which its log is told, and nobody who sends a token. */
  #read(options: unknown): IssuerSettings | undefined {
    try {
      return issuerSettings(options, 'issuers(iss).', this.#context.allowInsecureIssuers)
    } catch (error) {
      this.#tell(
        error instanceof Error ? error.message : 'the function "issuers" returned options that throw',
      )
      return undefined
    }
  }

  /** A stranger decides how often it comes to this, so each line is there once. */
  #tell(message: string, details: object = {}): void {
    if (this.#told.has(message) || this.#told.size === mostTold) return
    this.#told.add(message)
    this.#context.log.warn(details, `${message}; tokens of such issuers are refused`)
  }
}
