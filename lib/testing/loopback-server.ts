import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An HTTP server on 127.0.0.1 that can be restarted on the same port and doesn't keep the process running. */
export class LoopbackServer {
  readonly #server: Server
  #port: number
  #isClosed = false
  // Starting and stopping run one after another, in the order of the calls.
  #lastStep: Promise<void> = Promise.resolve()

  constructor(listener: RequestListener, port: number) {
    this.#server = createServer(listener)
    // A test process must end even if a failed test doesn't close its issuer.
    this.#server.unref().on('connection', (socket) => socket.unref())
    this.#port = port
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  start(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#isClosed) throw new Error('fastify-jwks-auth: the test issuer is closed')
      if (this.#server.listening) return
      this.#server.listen(this.#port, '127.0.0.1')
      await once(this.#server, 'listening')
      this.#port = (this.#server.address() as AddressInfo).port
    })
  }

  stop(): Promise<void> {
    return this.#enqueue(async () => {
      if (!this.#server.listening) return
      this.#server.close()
      this.#server.closeAllConnections()
      await once(this.#server, 'close')
    })
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.stop()
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const result = this.#lastStep.then(step)
    this.#lastStep = result.catch(() => {})
    return result
  }
}
