import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Handler } from './issuer.ts'

/** Stands in every body below: nothing of a body may be seen anywhere. */
export const bodyText = 'text of the body'

const json = { 'content-type': 'application/json' }
const html = `<!doctype html><title>${bodyText}</title>`

/** Writes for as long as somebody reads. */
function endless(response: ServerResponse, status = 200): void {
  const chunk = Buffer.alloc(64 * 1024, ' ')
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
  }
  response.writeHead(status, json).on('drain', write)
  write()
}

/** Zeros that are a thousand times smaller on their way. */
export function zipped(megabytes: number): Buffer {
  const member = gzipSync(Buffer.alloc(1024 * 1024))
  return Buffer.concat(Array<Buffer>(megabytes).fill(member))
}

function body(text: string, headers: Record<string, string> = json, status = 200): Handler {
  return (_request, response) => void response.writeHead(status, headers).end(text)
}

/** Sends what it is given as it is, and hangs up. */
function raw(text: string): Handler {
  return (request) => void request.socket.end(text)
}

export function redirect(status: number, location: string): Handler {
  return (_request, response) => void response.writeHead(status, { location }).end(bodyText)
}

const bomb = zipped(32)

/** What an issuer may answer instead of a JSON document. */
export const hostile: Readonly<Record<string, Handler>> = {
  'hangs before its headers'() {},
  'hangs after its headers'(_request, response) {
    response.writeHead(200, json).flushHeaders()
  },
  'trickles byte by byte'(_request, response) {
    const timer = setInterval(() => response.write(' '), 5).unref()
    response.writeHead(200, json).on('close', () => clearInterval(timer))
  },
  'trickles and is packed'(_request, response) {
    const timer = setInterval(() => response.write(gzipSync(' ')), 5).unref()
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).on('close', () => clearInterval(timer))
  },
  'has no end'(_request, response) {
    endless(response)
  },
  'has no end and is an error'(_request, response) {
    endless(response, 500)
  },
  'is huge when it is unpacked'(_request, response) {
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(bomb)
  },
  'is huge when it is unpacked and stalls'(_request, response) {
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).write(zipped(2))
  },
  'says 500': body(`{"error": "${bodyText}"}`, json, 500),
  'says 404': body(`{"error": "${bodyText}"}`, json, 404),
  'says 502 in HTML': body(html, { 'content-type': 'text/html' }, 502),
  'is HTML': body(html, { 'content-type': 'text/html' }),
  'is truncated JSON': body(`{"keys": [{"kty": "RSA", "kid": "${bodyText}`),
  'breaks off': raw('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"keys": []'),
  'is empty': body(''),
  'has no content': body('', {}, 204),
  'is not packed as it says': body(`{"keys": ["${bodyText}"]}`, { ...json, 'content-encoding': 'gzip' }),
  'is not packed as it says and stalls'(_request, response) {
    response.writeHead(200, { ...json, 'content-encoding': 'br' }).write(bodyText)
  },
  'is packed in a way nobody knows': body(bodyText, { ...json, 'content-encoding': 'nope' }),
  'is packed in a way that only objects know': body(bodyText, { ...json, 'content-encoding': 'constructor' }),
  'is not HTTP': raw(`${bodyText}\r\n\r\n`),
  'has no end of interim responses'(request) {
    const { socket } = request
    const write = (): void => {
      while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)));
    }
    socket.on('drain', write)
    write()
  },
  'is packed out of nothing'(_request, response) {
    // Members without content, and no end of them.
    const empty = Buffer.concat(Array<Buffer>(1_000).fill(gzipSync('')))
    const write = (): void => {
      while (!response.destroyed && response.write(empty));
    }
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).on('drain', write)
    write()
  },
  'switches protocols': raw('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
  'says 404 and is not packed as it says': body(bodyText, { ...json, 'content-encoding': 'gzip' }, 404),
  'has endless headers': raw(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(300_000)}\r\n\r\n{}`),
  'hangs up': (request) => void request.socket.destroy(),
  'redirects to its own origin': redirect(302, '/elsewhere'),
}
