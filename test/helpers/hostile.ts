import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Handler } from './issuer.ts'

/** A text in every body below. No log line, error or answer may contain it. */
export const bodyText = 'text of the body'

const json = { 'content-type': 'application/json' }
const html = `<!doctype html><title>${bodyText}</title>`

/** Writes until the connection ends. */
function endless(response: ServerResponse, status = 200): void {
  const chunk = Buffer.alloc(64 * 1024, ' ')
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
  }
  response.writeHead(status, json).on('drain', write)
  write()
}

/** Zeros, compressed to a thousandth of their size. */
export function zipped(megabytes: number): Buffer {
  const member = gzipSync(Buffer.alloc(1024 * 1024))
  return Buffer.concat(Array<Buffer>(megabytes).fill(member))
}

function body(text: string, headers: Record<string, string> = json, status = 200): Handler {
  return (_request, response) => void response.writeHead(status, headers).end(text)
}

/** Sends a text as it is and ends the connection. */
function raw(text: string): Handler {
  return (request) => void request.socket.end(text)
}

/** Repeats these chunks without end. */
function chunked(chunks: string): Handler {
  return ({ socket }) => {
    const write = (): void => {
      while (!socket.destroyed && socket.write(chunks));
    }
    socket.on('drain', write).write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    write()
  }
}

export function redirect(status: number, location: string): Handler {
  return (_request, response) => void response.writeHead(status, { location }).end(bodyText)
}

const bomb = zipped(32)

/** Bad answers of an issuer, by a name that follows "an answer that". */
export const hostile: Readonly<Record<string, Handler>> = {
  'hangs before its headers'() {},
  'hangs after its headers'(_request, response) {
    response.writeHead(200, json).flushHeaders()
  },
  'trickles byte by byte'(_request, response) {
    const timer = setInterval(() => response.write(' '), 5).unref()
    response.writeHead(200, json).on('close', () => clearInterval(timer))
  },
  'trickles compressed bytes'(_request, response) {
    const timer = setInterval(() => response.write(gzipSync(' ')), 5).unref()
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).on('close', () => clearInterval(timer))
  },
  'has no end'(_request, response) {
    endless(response)
  },
  'is an error without end'(_request, response) {
    endless(response, 500)
  },
  'is huge when decompressed'(_request, response) {
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(bomb)
  },
  'is huge when decompressed and stalls'(_request, response) {
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).write(zipped(2))
  },
  'is a 500': body(`{"error": "${bodyText}"}`, json, 500),
  'is a 404': body(`{"error": "${bodyText}"}`, json, 404),
  'is a 502 in HTML': body(html, { 'content-type': 'text/html' }, 502),
  'is HTML': body(html, { 'content-type': 'text/html' }),
  'is truncated JSON': body(`{"keys": [{"kty": "RSA", "kid": "${bodyText}`),
  'breaks off': raw('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"keys": []'),
  'is empty': body(''),
  'has no content': body('', {}, 204),
  'has a wrong content-encoding': body(`{"keys": ["${bodyText}"]}`, { ...json, 'content-encoding': 'gzip' }),
  'has a wrong content-encoding and stalls'(_request, response) {
    response.writeHead(200, { ...json, 'content-encoding': 'br' }).write(bodyText)
  },
  'has an unknown content-encoding': body(bodyText, { ...json, 'content-encoding': 'nope' }),
  'has a content-encoding of constructor': body(bodyText, { ...json, 'content-encoding': 'constructor' }),
  'is not HTTP': raw(`${bodyText}\r\n\r\n`),
  'has interim responses without end'(request) {
    const { socket } = request
    const write = (): void => {
      while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)));
    }
    socket.on('drain', write)
    write()
  },
  'has chunk extensions without end': chunked(`1;${'a'.repeat(15_000)}\r\n \r\n`.repeat(20)),
  'comes in chunks of a byte': chunked('1\r\n \r\n'.repeat(10_000)),
  'is compressed and has no content and no end'(_request, response) {
    // Members of gzip without content.
    const empty = Buffer.concat(Array<Buffer>(1_000).fill(gzipSync('')))
    const write = (): void => {
      while (!response.destroyed && response.write(empty));
    }
    response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).on('drain', write)
    write()
  },
  'switches protocols': raw('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
  'is a 404 with a wrong content-encoding': body(bodyText, { ...json, 'content-encoding': 'gzip' }, 404),
  'has endless headers': raw(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(300_000)}\r\n\r\n{}`),
  'hangs up': (request) => void request.socket.destroy(),
  'redirects to its own origin': redirect(302, '/elsewhere'),
}
