import { channel } from 'node:diagnostics_channel'

/** One request of a fetch of keys. */
export interface FetchAttempt {
  /** What was requested: the metadata of the issuer, or its keys. */
  readonly step: 'metadata' | 'keys'
  /** Without credentials, query and fragment. */
  readonly url: string
  /** The HTTP status, if there was an answer. */
  readonly status?: number
  /** Why the request failed, fit for a log. Undefined if it succeeded. */
  readonly reason?: string
}

/**
 * The events of the plugin, by channel. No event contains a token, its claims, or text of an issuer's answer other than the
 * `kid`s of its keys. A `kid` is cut to 64 characters, because a client chooses the one of a refused token. Times are milliseconds.
 */
export interface DiagnosticsEvents {
  /** `fastify-jwks-auth:keys-fetched`: an issuer answered with a usable JWK Set, or `jwks.store` had a newer one. */
  keysFetched: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the keys in the answer. */
    readonly kids: readonly string[]
    /** With `jwks.store`: whether the answer came from the issuer, or from another process through the store. */
    readonly source?: 'issuer' | 'store'
    /** With `jwks.store`: time since the issuer was asked, by whichever process. */
    readonly age?: number
    /** Time of the fetch, discovery included, or of the search in the store. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:refresh-failed`: the keys of an issuer could not be fetched. */
  refreshFailed: {
    /** As it is configured. */
    readonly issuer: string
    /** The cause, fit for a log. */
    readonly reason: string
    /** The requests of the fetch in their order, with the result of each. */
    readonly attempts: readonly FetchAttempt[]
    /** Time of the fetch, discovery included. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:served-stale`: a key older than `jwks.refreshInterval` was used, because its issuer can't be reached. */
  servedStale: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the key. Undefined for a key without kid. */
    readonly kid: string | undefined
    /** Age of the last good answer. */
    readonly age: number
  }
  /** `fastify-jwks-auth:key-removed`: the issuer no longer publishes a key, or publishes another key under its `kid`. */
  keyRemoved: {
    /** As it is configured. */
    readonly issuer: string
    /** Of the key. Undefined for a key without kid. */
    readonly kid: string | undefined
  }
  /** `fastify-jwks-auth:unknown-kid`: a token names a key that its issuer does not have. */
  unknownKid: {
    /** As it is configured. */
    readonly issuer: string
    /** As the token has it. */
    readonly kid: string
  }
  /** `fastify-jwks-auth:token-accepted`: a token is valid. `isRevoked` and `authorize` are checked afterwards. */
  tokenAccepted: {
    /** As it is configured. */
    readonly issuer: string
    /** As the token has it. Undefined for a token without kid. */
    readonly kid: string | undefined
    /** Whether the token was in the cache, so that its signature was not verified for this request. */
    readonly cached: boolean
    /** Time of the verification, including a fetch of keys if the token waited for one. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:token-refused`: a request was refused. */
  tokenRefused: {
    /** The `code` of the refusal. */
    readonly code: string
    /** The configured issuer that the token names. Undefined for another issuer and for a token that can't be read. */
    readonly issuer: string | undefined
    /** As the token has it. */
    readonly kid: string | undefined
    /** Why a DPoP proof was refused. It contains no text of the proof. */
    readonly reason?: string
  }
}

/** A channel of `node:diagnostics_channel` whose events have a type. */
export interface EventChannel<Event> {
  /** The name of the channel in `node:diagnostics_channel`. */
  readonly name: string | symbol
  /** Without subscribers nothing is published. */
  readonly hasSubscribers: boolean
  /** Calls a listener with each event, synchronously. An error that a listener throws is an uncaught exception. */
  subscribe(listener: (event: Event, name: string | symbol) => void): void
  /** Removes a listener. */
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

/** Cuts a `kid` to the length that log lines and events have. */
export function truncateKid(kid: string): string
export function truncateKid(kid: unknown): string | undefined
export function truncateKid(kid: unknown): string | undefined {
  return typeof kid === 'string' ? kid.slice(0, 64) : undefined
}

function typed<Event>(event: string): EventChannel<Event> {
  return channel(`fastify-jwks-auth:${event}`) as EventChannel<Event>
}
