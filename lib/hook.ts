/**
 * Undefined where a request may go on, and an error where it is refused: returned, since a throw costs more than most
 * refusals. A promise of that where something is waited for.
 */
export type Outcome = Error | undefined | Promise<Error | undefined>

/** What a hook does. It may refuse by throwing or rejecting as well, as callbacks of the application's do. */
export type Step<Request, Reply> = (request: Request, reply: Reply) => Outcome

type Done = (error?: unknown) => void

/** A hook that Fastify calls with a callback, and that a handler may await. */
export type Hook<Request, Reply> = (
  request: Request,
  reply: Reply,
  /** A preParsing hook is given the payload before the callback. */
  payloadOrDone?: unknown,
  done?: Done,
) => Promise<void> | undefined

/** Where nothing is waited for, Fastify needn't wait either: no promise is made for it. */
export function hook<Request, Reply>(step: Step<Request, Reply>): Hook<Request, Reply> {
  return (request, reply, payloadOrDone, lastDone) => {
    if (request === undefined) throw new TypeError(called)
    const done = typeof payloadOrDone === 'function' ? (payloadOrDone as Done) : lastDone
    let outcome: Outcome
    try {
      outcome = step(request, reply)
    } catch (thrown) {
      // Not an outcome: what is thrown refuses, even if it is a promise.
      const error = asError(thrown)
      if (!done) return Promise.reject(error)
      done(error)
      return undefined
    }
    if (!done) return settled(outcome)
    if (outcome instanceof Promise) void settled(outcome).then(() => done(), done)
    else if (outcome) done(outcome)
    else done()
    return undefined
  }
}

const called =
  'fastify-jwks-auth: a hook was called where it should be given, as in onRequest: [app.authenticate], without ()'

/** A promise, whoever made it. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}

async function settled(outcome: Outcome): Promise<void> {
  let error: unknown
  try {
    error = await outcome
  } catch (thrown) {
    error = asError(thrown)
  }
  if (error) throw error as Error
}

/** A callback of the application's may throw undefined, and refuses by that too: called back with it, Fastify would go on. */
function asError(thrown: unknown): unknown {
  return thrown || new Error('fastify-jwks-auth: a callback refused the request by throwing nothing')
}
