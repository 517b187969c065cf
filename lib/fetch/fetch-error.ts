interface FetchFailure {
  /** The HTTP status of the answer, if there was one. */
  readonly status?: number
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfter?: number | undefined
  /** Whether the connection ended before an answer, so that another attempt may succeed at once. */
  readonly isDisconnected?: boolean
}

/** Why a document could not be fetched. The message is fit for a log, because it contains no text of the answer. */
export class FetchError extends Error {
  readonly status: number | undefined
  readonly retryAfter: number | undefined
  readonly isDisconnected: boolean

  constructor(reason: string, { status, retryAfter, isDisconnected = false }: FetchFailure = {}) {
    super(reason)
    this.status = status
    this.retryAfter = retryAfter
    this.isDisconnected = isDisconnected
  }
}

/** The code or the name of an error, and not its message, which could quote the answer. */
export function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: string; name?: string }
  return code ?? name ?? 'unknown failure'
}
