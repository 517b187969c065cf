export type MaybePromise<T> = T | Promise<T>

/**
 * The result of a check: undefined if the request may go on, or the error that refuses it. The error is returned, because
 * throwing costs more than most refusals. It is a promise if the check has to wait.
 */
export type CheckResult = Error | undefined | Promise<Error | undefined>

/** The work of a hook. It may also refuse by throwing or rejecting, as callbacks of the application do. */
export type Handler<Request, Reply> = (request: Request, reply: Reply) => CheckResult

type Done = (error?: unknown) => void

/** A hook that Fastify calls with a callback, and that a handler may await. */
export type Hook<Request, Reply> = (
  request: Request,
  reply: Reply,
  /** A preParsing hook gets the payload before the callback. */
  payloadOrDone?: unknown,
  done?: Done,
) => Promise<void> | undefined

/** Makes a hook of a handler. Without a promise in the result Fastify needs none either, so the hook makes none. */
export function createHook<Request, Reply>(handler: Handler<Request, Reply>): Hook<Request, Reply> {
  return (request, reply, payloadOrDone, lastDone) => {
    if (request === undefined) throw new TypeError(calledDirectly)
    const done = typeof payloadOrDone === 'function' ? (payloadOrDone as Done) : lastDone
    let result: CheckResult
    try {
      result = handler(request, reply)
    } catch (thrown) {
      // A thrown value refuses the request, even if it is a promise.
      const error = asError(thrown)
      if (!done) return Promise.reject(error)
      done(error)
      return undefined
    }
    if (!done) return rejectOnError(result)
    if (result instanceof Promise) void rejectOnError(result).then(() => done(), done)
    else if (result) done(result)
    else done()
    return undefined
  }
}

const calledDirectly =
  'fastify-jwks-auth: a hook was called where it should be passed, as in onRequest: authenticate, without ()'

/** Whether a value is a promise, of any implementation. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}

async function rejectOnError(result: CheckResult): Promise<void> {
  let error: unknown
  try {
    error = await result
  } catch (thrown) {
    error = asError(thrown)
  }
  if (error) throw error as Error
}

/** A callback of the application may throw undefined. Fastify would take undefined for success. */
function asError(thrown: unknown): unknown {
  return thrown || new Error('fastify-jwks-auth: a callback refused the request by throwing nothing')
}
