import type { IncomingHttpHeaders } from 'node:http'

/** The issuer whose tokens a contestant accepts. */
export interface IssuerData {
  readonly issuer: string
  readonly jwksUri: string
  readonly audience: string
}

/** A listening server with a public route `/ping` and a secured route `/secured/ping`. */
export interface RunningServer {
  /** Its origin. */
  readonly url: string
  close(): Promise<void>
}

/** A server in this process, whose hook can be called without HTTP. */
export interface LocalServer extends RunningServer {
  /** The hook of the secured route. */
  readonly hook: Hook
  /** Every request to the route `/held`, which never answers. */
  readonly held: readonly Exchange[]
}

/** Accepts by calling `done` or by resolving, and refuses by calling `done` with an error, by throwing or by rejecting. */
export type Hook = (request: object, reply: object, done: Done) => void | Promise<unknown>

export type Done = (error?: unknown) => void

/** A request and its reply as the framework made them. */
export interface Exchange {
  readonly request: object
  readonly reply: object
  /** The headers that the hook reads. */
  readonly headers: IncomingHttpHeaders
}

/** One way to protect an API, wired as its documentation recommends. */
export interface Contestant {
  start(issuer: IssuerData): Promise<LocalServer>
}

/** What both routes answer. */
export const pong = 'pong'
