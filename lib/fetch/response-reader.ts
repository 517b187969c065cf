import { FetchError, reasonOf } from './fetch-error.ts'
import { readRetryAfter } from './retry-after.ts'

/** Headers by name in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** A response of status 2xx. */
export interface RawResponse {
  readonly status: number
  readonly encoding: string | undefined
  /** As it was sent, packed or not. */
  readonly body: Buffer
}

/** Maximum number of interim responses (RFC 9110 section 15.2) before the final response. */
const maxInterimResponses = 10
/** Maximum number of bytes in addition to the body: headers, interim responses, and the framing of chunks (RFC 9112 section 7.1). */
const maxOverhead = 262_144
/** The codes of a connection that broke, in Node and in undici. */
const disconnected = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** Reads one response. Both HTTP clients report to it what they receive, so both have the same limits. */
export class ResponseReader {
  readonly response: Promise<RawResponse>
  readonly #maxSize: number
  /** Larger than what it holds. A list of chunks would take more memory: an answer may come in chunks of a byte. */
  #body = Buffer.alloc(0)
  #size = 0
  #interimResponses = 0
  #head: Pick<RawResponse, 'status' | 'encoding'> | undefined
  #isSettled = false
  #cancel: () => void = () => {}
  #resolve!: (response: RawResponse) => void
  #reject!: (error: FetchError) => void

  /**
   * @param signal - Ends the response at any time.
   * @param maxSize - Maximum number of bytes of the body, as it is sent.
   */
  constructor(signal: AbortSignal, maxSize: number) {
    this.#maxSize = maxSize
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    signal.addEventListener('abort', () => this.#fail(new FetchError(String(signal.reason))), { once: true })
  }

  /** @param cancel - Closes the connection. It is called in any case, also when the response is complete. */
  onStart(cancel: () => void): void {
    this.#cancel = cancel
    if (this.#isSettled) cancel()
  }

  /** @param size - Number of bytes that were read from the connection since the request. */
  onRead(size: number): void {
    const max = this.#maxSize + maxOverhead
    if (size > max) this.#fail(new FetchError(`over ${max} bytes with headers and framing`))
  }

  onInterimResponse(): void {
    this.#interimResponses += 1
    if (this.#interimResponses > maxInterimResponses) {
      this.#fail(new FetchError('no end of interim responses'))
    }
  }

  /** Redirects are refused, because they could lead to another origin than the configured one. */
  onHead(status: number, headers: ResponseHeaders): void {
    this.#head = { status, encoding: first(headers['content-encoding']) }
    if (status >= 200 && status <= 299) return
    const mayRetryLater = status === 429 || status === 503
    const retryAfter = mayRetryLater ? readRetryAfter(first(headers['retry-after'])) : undefined
    this.#fail(new FetchError(`HTTP ${status}`, { status, retryAfter }))
  }

  onData(chunk: Uint8Array): void {
    const size = this.#size + chunk.byteLength
    if (size > this.#maxSize) {
      this.#fail(new FetchError(`over ${this.#maxSize} bytes`))
      return
    }
    if (size > this.#body.length) {
      this.#body = Buffer.concat([this.#body], Math.min(2 * size, this.#maxSize))
    }
    this.#body.set(chunk, this.#size)
    this.#size = size
  }

  onEnd(): void {
    this.#resolve({ ...this.#head!, body: this.#body.subarray(0, this.#size) })
    this.#settle()
  }

  onError(error: unknown): void {
    const reason = error instanceof FetchError ? error.message : reasonOf(error)
    this.#fail(new FetchError(reason, { isDisconnected: !this.#head && disconnected.has(reason) }))
  }

  #fail(error: FetchError): void {
    if (this.#isSettled) return
    this.#reject(error)
    this.#settle()
  }

  #settle(): void {
    this.#isSettled = true
    this.#cancel()
  }
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value
}
