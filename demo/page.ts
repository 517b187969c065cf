import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The settings that the page loads as JSON. */
export interface PageSettings {
  api: string
  issuer: string
  audience: string
  clientId: string
  /** Parameters of the authorization request. */
  authorize: Record<string, string>
  /** The URL of an expired token. Only the embedded issuer has one. */
  expiredToken?: string
  /** Whether the issuer binds tokens to a key of the page, by DPoP. Only the embedded issuer does. */
  boundTokens?: boolean
}

export interface Page {
  origin: string
  /** Starts to respond to requests. */
  serve(settings: PageSettings): void
  close(): Promise<void>
}

const css = 'text/css; charset=utf-8'
const javascript = 'text/javascript; charset=utf-8'

function file(name: string, type: string): [path: string, { url: URL; type: string }] {
  return [`/${name}`, { url: new URL(`page/${name}`, import.meta.url), type }]
}

const modules = ['app', 'answers', 'bound', 'claims', 'explain', 'failures', 'session', 'token', 'view']

/** All files of the page by their path. */
export const files: ReadonlyMap<string, { url: URL; type: string }> = new Map([
  ['/', file('index.html', 'text/html; charset=utf-8')[1]],
  ...['style', 'page', 'call', 'token', 'answers'].map((name) => file(`${name}.css`, css)),
  ...modules.map((name) => file(`${name}.js`, javascript)),
  file('favicon.svg', 'image/svg+xml'),
  ['/oauth4webapi.js', { url: new URL(import.meta.resolve('oauth4webapi')), type: javascript }],
])

/**
 * Starts to listen at once, because the issuer and the API need the page's origin. Requests are answered only after
 * `serve` is called.
 */
export async function openPage(port: number): Promise<Page> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    serve(settings) {
      server.on('request', async (request, response) => {
        const { url = '', headers } = request
        if (`http://${headers.host}` !== origin) {
          // Another host name, such as localhost, is another origin, which the issuer and the API don't know.
          response.writeHead(302, { location: origin }).end()
          return
        }
        const [path = ''] = url.split('?')
        const known = files.get(path)
        const json = path === '/settings.json' && JSON.stringify(settings)
        response.writeHead(known || json ? 200 : 404, {
          ...policies(settings),
          'Content-Type': json ? 'application/json' : (known?.type ?? 'text/plain'),
        })
        response.end(json || (known ? await readFile(known.url) : 'There is no such file'))
      })
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function policies({ api, issuer }: PageSettings): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${api} ${new URL(issuer).origin}`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ]
  return {
    'Content-Security-Policy': policy.join('; '),
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  }
}
