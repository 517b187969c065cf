import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An HTTP server on 127.0.0.1 that keeps its port while it is down, and keeps no process alive. */
export class LoopbackServer {
  readonly #server: Server
  #port: number
  #isClosed = false
  // Going down and coming back wait for each other, in the order in which they were asked for.
  #last: Promise<void> = Promise.resolve()

  constructor(listener: RequestListener, port: number) {
    this.#server = createServer(listener)
    // A test that fails before it closes the issuer must come to its end all the same.
    this.#server.unref().on('connection', (socket) => socket.unref())
    this.#port = port
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  up(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isClosed) throw new Error('fastify-jwks-auth: the test issuer is closed')
      if (this.#server.listening) return
      this.#server.listen(this.#port, '127.0.0.1')
      await once(this.#server, 'listening')
      this.#port = (this.#server.address() as AddressInfo).port
    })
  }

  down(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#server.listening) return
      this.#server.close()
      this.#server.closeAllConnections()
      await once(this.#server, 'close')
    })
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.down()
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(step)
    this.#last = turn.catch(() => {})
    return turn
  }
}
