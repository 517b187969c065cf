/** Undefined where nothing is waited for. */
export type Outcome = Promise<void> | undefined

/** What a hook does. It refuses by throwing or rejecting. */
export type Step<Request, Reply> = (request: Request, reply: Reply) => Outcome

type Done = (error?: unknown) => void

/** A hook that Fastify calls with a callback, and that a handler may await. */
export type Hook<Request, Reply> = (request: Request, reply: Reply, third?: unknown, fourth?: Done) => Outcome

/** Where nothing is waited for, Fastify needn't wait either: no promise is made for it. */
export function hook<Request, Reply>(step: Step<Request, Reply>): Hook<Request, Reply> {
  return (request, reply, third, fourth) => {
    // A preParsing hook is given the payload before the callback.
    const done = typeof third === 'function' ? (third as Done) : fourth
    let outcome: Outcome
    try {
      outcome = step(request, reply)
    } catch (error) {
      if (!done) return Promise.reject(error as Error)
      done(error)
      return undefined
    }
    if (!done) return outcome ?? Promise.resolve()
    if (outcome) void outcome.then(() => done(), done)
    else done()
    return undefined
  }
}

/** A promise, whoever made it. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}
