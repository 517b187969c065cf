import { channel } from 'node:diagnostics_channel'

/**
 * What the plugin tells on its channels. No event holds a token, its claims or anything of an issuer's answer beside
 * the `kid`s of its keys. A `kid` is cut to 64 characters: the one of a refused token is whatever a stranger wrote.
 * Times are milliseconds.
 */
export interface DiagnosticsEvents {
  /** `fastify-jwks-auth:keys-fetched`: an issuer gave a good answer. */
  keysFetched: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the keys in the answer. */
    readonly kids: readonly string[]
    /** How long the look-up took. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:refresh-failed`: an issuer gave no good answer. */
  refreshFailed: {
    /** As it is configured. */
    readonly issuer: string
    /** Why, in words fit for a log. */
    readonly reason: string
    /** How long the look-up took. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:served-stale`: a key was used beyond its time, since its issuer can't be reached. */
  servedStale: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the key. */
    readonly kid: string
    /** Of the last good answer. */
    readonly age: number
  }
  /** `fastify-jwks-auth:key-removed`: a good answer no longer holds a key, or holds another one under its kid. */
  keyRemoved: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the key. */
    readonly kid: string
  }
  /** `fastify-jwks-auth:unknown-kid`: a token named a key that its issuer does not have. */
  unknownKid: {
    /** As it is configured. */
    readonly issuer: string
    /** As the token has it. */
    readonly kid: string
  }
  /** `fastify-jwks-auth:token-accepted`: a token is valid. `isRevoked` and `authorize` come afterwards. */
  tokenAccepted: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the key; undefined where the issuer has a shared secret and its token names none. */
    readonly kid: string | undefined
    /** Whether its signature was known from an earlier request. */
    readonly cached: boolean
    /** From its reading to the verdict, a look-up included where one was waited for. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:token-refused`: a request was refused. */
  tokenRefused: {
    /** The `code` of the refusal. */
    readonly code: string
    /** The configured issuer that the token names; undefined where it names none, or was not read. */
    readonly issuer: string | undefined
    /** As the token has it. */
    readonly kid: string | undefined
  }
}

/** A channel of `node:diagnostics_channel` whose events have a type. */
export interface EventChannel<Event> {
  /** By which it is found in `node:diagnostics_channel`. */
  readonly name: string | symbol
  /** Where nobody listens, nothing is published. */
  readonly hasSubscribers: boolean
  /** Has every event told to a listener, at once: one that throws is an uncaught exception. */
  subscribe(listener: (event: Event, name: string | symbol) => void): void
  /** Ends that. */
  unsubscribe(listener: (event: Event, name: string | symbol) => void): void
  /** For the plugin. */
  publish(event: Event): void
}

/** The plugin's channels. */
export const diagnostics: {
  readonly [Name in keyof DiagnosticsEvents]: EventChannel<DiagnosticsEvents[Name]>
} = {
  keysFetched: typed('keys-fetched'),
  refreshFailed: typed('refresh-failed'),
  servedStale: typed('served-stale'),
  keyRemoved: typed('key-removed'),
  unknownKid: typed('unknown-kid'),
  tokenAccepted: typed('token-accepted'),
  tokenRefused: typed('token-refused'),
}

/** A `kid` fit for a log line or an event: so much of it is enough to know it by. */
export function kidForDisplay(kid: string): string
export function kidForDisplay(kid: unknown): string | undefined
export function kidForDisplay(kid: unknown): string | undefined {
  return typeof kid === 'string' ? kid.slice(0, 64) : undefined
}

function typed<Event>(event: string): EventChannel<Event> {
  return channel(`fastify-jwks-auth:${event}`) as EventChannel<Event>
}
