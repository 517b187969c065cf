/** An undici dispatcher, known by its one method so that undici's types needn't be installed. */
export interface Dispatcher {
  dispatch(options: never, handler: never): boolean
}

export interface FetchLimits {
  readonly signal: AbortSignal
  /** Bytes of the body, unpacked. */
  readonly maxResponseSize: number
  readonly dispatcher: Dispatcher | undefined
}

/** Why an issuer gave no good answer: fit for a log line, since nothing of the answer is in it. */
export class IssuerFailure extends Error {
  /** The HTTP status where that is the reason. */
  readonly status: number | undefined

  constructor(reason: string, status?: number) {
    super(reason)
    this.status = status
  }
}

/**
 * Fetches a JSON document within limits that hold for the last byte as for the first. Redirects are not
 * followed: they could lead away from the origin that was configured.
 *
 * @throws {IssuerFailure}
 */
export async function fetchJson(url: URL, limits: FetchLimits): Promise<unknown> {
  const text = await fetchText(url, limits).catch((error: unknown) => {
    throw error instanceof IssuerFailure ? error : new IssuerFailure(reasonOf(error, limits.signal))
  })
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new IssuerFailure('not JSON')
  }
}

async function fetchText(url: URL, { signal, maxResponseSize, dispatcher }: FetchLimits): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'manual',
    signal,
    ...(dispatcher && { dispatcher: dispatcher as NonNullable<RequestInit['dispatcher']> }),
  })
  if (!response.ok) {
    await response.body?.cancel()
    throw new IssuerFailure(`HTTP ${response.status}`, response.status)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  // What is counted has been unpacked already, and leaving the loop ends the connection.
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size > maxResponseSize) throw new IssuerFailure(`over ${maxResponseSize} bytes`)
    chunks.push(chunk)
  }
  // It drops a byte order mark, as a response's own json() does.
  return new TextDecoder().decode(Buffer.concat(chunks))
}

/** The name of a failure and not its message, which could quote the answer. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return String(signal.reason)
  const { cause = error } = error as { cause?: unknown }
  const { code, name } = cause as { code?: string; name?: string }
  return code ?? name ?? 'unknown failure'
}
