import { LRUCache } from 'lru-cache'
import { elapsedTime } from '../clock.ts'
import { JwksAuthError, jwksUnavailable } from '../errors.ts'
import { isThenable, type MaybePromise } from '../hook.ts'
import * as messages from '../log.ts'
import { acceptSameTokens, readIssuerOptions, type IssuerSettings } from '../options/issuer-options.ts'
import { findShortTimes } from '../options/times.ts'
import type { ResolveIssuer } from '../options/issuer-types.ts'
import { createIssuer, type Issuer } from './issuer.ts'
import type { IssuerContext } from './key-source.ts'

/** Finds the issuer that the `iss` of a token names. */
export interface IssuerResolver {
  /** The issuer with exactly this name; undefined for an unknown one. A promise only if the application has to be waited for. */
  resolve(iss: unknown): MaybePromise<Issuer | undefined>
  /** Whether the issuer is known already. */
  has(iss: unknown): boolean
  /** The issuers that are known already. */
  known(): Issuer[]
  /** Aborts the fetches in flight and prevents others. */
  close(): void
}

export interface IssuerResolverContext extends IssuerContext {
  /** A clock that is never set back, in milliseconds. */
  readonly now?: () => number
}

/** The function `issuers` threw or rejected. The `cause` is its error, which is not a refusal. */
export class IssuerResolverError extends Error {}

export function createIssuerResolver(
  issuers: readonly IssuerSettings[] | ResolveIssuer,
  context: IssuerResolverContext,
): IssuerResolver {
  return typeof issuers === 'function'
    ? new FunctionResolver(issuers, context)
    : createListResolver(issuers, context)
}

function createListResolver(
  issuers: readonly IssuerSettings[],
  context: IssuerResolverContext,
): IssuerResolver {
  const known = new Map<unknown, Issuer>(
    issuers.map((settings) => [settings.issuer, createIssuer(settings, context)]),
  )
  return {
    resolve: (iss) => known.get(iss),
    has: (iss) => known.has(iss),
    known: () => [...known.values()],
    close() {
      for (const issuer of known.values()) issuer.close()
    },
  }
}

/** Maximum length of an `iss` that the function is called with. */
const maxNameLength = 1_024
/** Maximum number of remembered issuers, and of remembered unknown names. */
const maxEntries = 10_000
/** Maximum total length of the remembered unknown names, which attackers can choose. */
const maxUnknownLength = 1_048_576
/** Precedes the names of options that the function returns. */
const path = 'issuers(iss).'
/** Maximum number of different log lines. */
const maxLogLines = 20

/**
 * Whether the function may be called with this `iss`. A lone surrogate or a control character is in no URL, and a function that puts
 * it into a query or a URL could throw.
 */
function isPossibleName(iss: unknown): iss is string {
  return (
    typeof iss === 'string' &&
    iss !== '' &&
    iss.length <= maxNameLength &&
    iss.isWellFormed() &&
    !/\p{Cc}/u.test(iss)
  )
}

interface Known {
  readonly issuer: Issuer
  readonly settings: IssuerSettings
}

/** Calls the function of the application once per issuer and interval. */
class FunctionResolver implements IssuerResolver {
  readonly #resolveIssuer: ResolveIssuer
  readonly #context: IssuerResolverContext
  readonly #now: () => number
  readonly #known: LRUCache<string, Known>
  /** Names that the function does not know, and when it was called with them. Attackers can't evict issuers with unknown names. */
  readonly #unknown: LRUCache<string, number>
  /** The calls in flight, and how to end the wait for them. */
  readonly #pending = new Map<string, { result: Promise<Issuer | undefined>; giveUp: () => void }>()
  readonly #logged = new Set<string>()
  #isClosed = false

  constructor(resolveIssuer: ResolveIssuer, context: IssuerResolverContext) {
    this.#resolveIssuer = resolveIssuer
    this.#context = context
    this.#now = context.now ?? elapsedTime
    this.#known = new LRUCache({ max: maxEntries, dispose: ({ issuer }) => issuer.revoke() })
    this.#unknown = new LRUCache({
      max: maxEntries,
      maxSize: maxUnknownLength,
      sizeCalculation: (_calledAt, iss) => iss.length,
    })
  }

  resolve(iss: unknown): MaybePromise<Issuer | undefined> {
    if (!isPossibleName(iss)) return undefined
    const now = this.#now()
    const known = this.#known.get(iss)
    if (known && now < known.issuer.freshUntil) return known.issuer
    const unknownAt = this.#unknown.get(iss)
    if (unknownAt !== undefined && now - unknownAt < this.#context.jwks.cooldown) return undefined
    return this.#pending.get(iss)?.result ?? this.#call(iss, now)
  }

  has(iss: unknown): boolean {
    return typeof iss === 'string' && this.#known.has(iss)
  }

  /** Without the issuers that the function may no longer know. */
  known(): Issuer[] {
    const now = this.#now()
    const known = Array.from(this.#known.values())
    return known.map(({ issuer }) => issuer).filter(({ freshUntil }) => now < freshUntil)
  }

  close(): void {
    this.#isClosed = true
    for (const { giveUp } of this.#pending.values()) giveUp()
    for (const { issuer } of this.#known.values()) issuer.close()
  }

  #call(iss: string, now: number): MaybePromise<Issuer | undefined> {
    const resolveIssuer = this.#resolveIssuer
    let options: ReturnType<ResolveIssuer>
    try {
      options = resolveIssuer(iss)
    } catch (error) {
      throw new IssuerResolverError('', { cause: error })
    }
    if (!isThenable(options)) return this.#update(iss, options, now)
    let giveUp!: () => void
    const givenUp = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(new JwksAuthError(jwksUnavailable(1)))
    })
    const deadline = setTimeout(giveUp, this.#context.jwks.timeout)
    const called = Promise.resolve(options).catch((error: unknown) => {
      throw new IssuerResolverError('', { cause: error })
    })
    const result = Promise.race([called, givenUp])
      .then((resolved) => this.#update(iss, resolved, now))
      .finally(() => {
        clearTimeout(deadline)
        this.#pending.delete(iss)
      })
    this.#pending.set(iss, { result, giveUp })
    return result
  }

  #update(iss: string, options: unknown, calledAt: number): Issuer | undefined {
    // Databases return null for no row, and `tenants.has(iss) && …` is false.
    const settings = options ? this.#read(options) : undefined
    if (settings?.issuer !== iss) {
      if (settings) this.#warn(messages.otherIssuer, { issuer: settings.issuer })
      this.#known.delete(iss)
      this.#unknown.set(iss, calledAt)
      return undefined
    }
    const known = this.#known.peek(iss)
    const isUnchanged = known !== undefined && acceptSameTokens(known.settings, settings)
    const issuer = isUnchanged ? known.issuer : createIssuer(settings, this.#context)
    issuer.freshUntil = calledAt + this.#context.jwks.refreshInterval
    if (isUnchanged) return issuer
    if (this.#isClosed) issuer.close()
    this.#known.set(iss, { issuer, settings })
    return issuer
  }

  /** Wrong options are a mistake of the application. They are logged, and the client is refused without details. */
  #read(options: unknown): IssuerSettings | undefined {
    try {
      const settings = readIssuerOptions(options, path, this.#context.allowInsecureIssuers)
      for (const { option, value } of findShortTimes(path, settings.rules)) {
        this.#warn(messages.shortTime(option, value))
      }
      return settings
    } catch (error) {
      this.#warn(messages.invalidIssuer(error instanceof Error ? error.message : messages.optionsThrew))
      return undefined
    }
  }

  /** Logs each line once, because clients decide how often this happens. */
  #warn(message: string, details: object = {}): void {
    if (this.#logged.has(message) || this.#logged.size === maxLogLines) return
    this.#logged.add(message)
    this.#context.log.warn(details, message)
  }
}
