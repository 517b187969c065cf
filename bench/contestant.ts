/** The issuer whose tokens a contestant accepts. */
export interface IssuerData {
  readonly issuer: string
  readonly jwksUri: string
  readonly audience: string
}

/** A listening server with the routes `/ping`, for anyone, and `/secured/ping`, for holders of a token. */
export interface RunningServer {
  /** Its origin. */
  readonly url: string
  close(): Promise<void>
}

/** One way to protect an API, wired as its own documents recommend. */
export interface Contestant {
  start(issuer: IssuerData): Promise<RunningServer>
}

/** What both routes answer. */
export const pong = 'pong'
