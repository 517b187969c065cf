import { Agent, request } from 'node:http'

export interface Answer {
  /** Undefined if there was no response in time. */
  readonly status: number | undefined
  readonly milliseconds: number
}

/** Sends requests to the secured route of a contestant. */
export class Client {
  readonly #url: URL
  readonly #agent = new Agent({ keepAlive: true })

  constructor(origin: string) {
    this.#url = new URL('/secured/ping', origin)
  }

  async call(token: string, headers: Record<string, string> = {}, timeout = 60_000): Promise<Answer> {
    const start = performance.now()
    const status = await this.#status({ ...headers, authorization: `Bearer ${token}` }, timeout)
    return { status, milliseconds: performance.now() - start }
  }

  close(): void {
    this.#agent.destroy()
  }

  #status(headers: Record<string, string>, timeout: number): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const call = request(this.#url, { agent: this.#agent, headers }, (response) => {
        response.resume().once('end', () => {
          clearTimeout(deadline)
          resolve(response.statusCode)
        })
      })
      const deadline = setTimeout(() => {
        resolve(undefined)
        call.destroy()
      }, timeout)
      call.once('error', (error) => {
        clearTimeout(deadline)
        reject(error)
      })
      call.end()
    })
  }
}
