import type { Dispatcher } from '../../lib/jwks/fetch-json.ts'

/** The dispatcher of Node's fetch. undici stores it under this symbol. It exists after the first fetch. */
export function globalDispatcher(): Dispatcher {
  return Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1')) as Dispatcher
}

/** Sends the requests for any host to a server on loopback and lists their URLs. */
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
