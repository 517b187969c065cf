import { channel } from 'node:diagnostics_channel'

/**
 * What the plugin tells on its channels. No event holds a token, its claims or anything of an issuer's answer beside
 * the `kid`s of its keys. A `kid` is cut to 64 characters: the one of a refused token is whatever a stranger wrote.
 * Times are milliseconds.
 */
export interface DiagnosticsEvents {
  /** `fastify-jwks-auth:keys-fetched`: an issuer gave a good answer. */
  keysFetched: { readonly issuer: string; readonly kids: readonly string[]; readonly duration: number }
  /** `fastify-jwks-auth:refresh-failed`: an issuer gave no good answer. */
  refreshFailed: { readonly issuer: string; readonly reason: string; readonly duration: number }
  /** `fastify-jwks-auth:served-stale`: a key was used beyond its time, since its issuer can't be reached. */
  servedStale: { readonly issuer: string; readonly kid: string; readonly age: number }
  /** `fastify-jwks-auth:key-removed`: a good answer no longer holds a key, or holds another one under its kid. */
  keyRemoved: { readonly issuer: string; readonly kid: string }
  /** `fastify-jwks-auth:unknown-kid`: a token named a key that its issuer does not have. */
  unknownKid: { readonly issuer: string; readonly kid: string }
  /** `fastify-jwks-auth:token-accepted`: a token is valid. `isRevoked` and `authorize` come afterwards. */
  tokenAccepted: {
    readonly issuer: string
    readonly kid: string | undefined
    /** Whether its signature was known from an earlier request. */
    readonly cached: boolean
    /** From its reading to the verdict, a look-up included where one was waited for. */
    readonly duration: number
  }
  /** `fastify-jwks-auth:token-refused`: a request was refused. */
  tokenRefused: {
    readonly code: string
    /** The configured issuer that the token names; undefined where it names none, or was not read. */
    readonly issuer: string | undefined
    readonly kid: string | undefined
  }
}

/** A channel of `node:diagnostics_channel` whose events have a type. */
export interface EventChannel<Event> {
  readonly name: string | symbol
  readonly hasSubscribers: boolean
  subscribe(listener: (event: Event, name: string | symbol) => void): void
  unsubscribe(listener: (event: Event, name: string | symbol) => void): void
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
