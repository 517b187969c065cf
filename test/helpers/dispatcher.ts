import type { Dispatcher } from '../../lib/jwks/fetch-json.ts'

/** The dispatcher that Node's own fetch uses, by the name under which undici shares it. There is one after a first fetch. */
export function globalDispatcher(): Dispatcher {
  return Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1')) as Dispatcher
}

/** Sends the requests for any host to a server on loopback, and remembers where they would have gone. */
export class Reroute implements Dispatcher {
  readonly urls: string[] = []
  readonly #origin: string

  constructor(origin: string) {
    this.#origin = origin
  }

  dispatch(options: { origin: string; path: string }, handler: never): boolean {
    this.urls.push(new URL(options.path, options.origin).href)
    return globalDispatcher().dispatch({ ...options, origin: this.#origin } as never, handler)
  }
}
