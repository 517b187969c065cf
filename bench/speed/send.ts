import type { Socket } from 'node:net'

/**
 * Each connection sends a request, waits for the answer and sends the next, until so many have been sent or the time is over.
 *
 * @param answered - Told of each answer its status, and how long it took in milliseconds.
 * @param end - By `performance.now()`.
 */
export async function sendAll(
  sockets: readonly Socket[],
  requests: readonly Buffer[],
  count: number,
  answered: (status: string, milliseconds: number) => void,
  end = Infinity,
): Promise<void> {
  let sent = 0
  const drive = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0
      const next = (): void => {
        sentAt = performance.now()
        if (sent === count || sentAt > end) {
          socket.removeAllListeners()
          resolve()
        } else socket.write(requests[sent++ % requests.length]!)
      }
      socket.once('error', reject)
      socket.once('end', () => reject(new Error('the server ended a connection')))
      socket.on('data', (answer) => {
        // Answers are short: they come whole, or the figures are not what they are taken for.
        const first = answer.toString('latin1', 0, 12)
        if (!first.startsWith('HTTP/1.1 ')) {
          reject(new Error('an answer came in pieces'))
          return
        }
        answered(first.slice(9), performance.now() - sentAt)
        next()
      })
      next()
    })

  // Never asleep: a server would pay for waking it with each answer, and the slower it is the more often.
  let isSending = true
  const poll = (): void => {
    if (isSending) setImmediate(poll)
  }
  poll()
  await Promise.all(sockets.map(drive)).finally(() => {
    isSending = false
  })
}
