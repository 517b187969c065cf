import { Agent } from 'undici'
import type { Dispatcher } from '../../lib/fetch/dispatcher-client.ts'

export const agent: Dispatcher = new Agent()

/** Sends the requests for any host to a server on loopback and lists their URLs. */
export class Reroute implements Dispatcher {
  readonly urls: string[] = []
  readonly #origin: string

  constructor(origin: string) {
    this.#origin = origin
  }

  dispatch(options: { origin: string; path: string }, handler: never): boolean {
    this.urls.push(new URL(options.path, options.origin).href)
    return agent.dispatch({ ...options, origin: this.#origin } as never, handler)
  }
}
