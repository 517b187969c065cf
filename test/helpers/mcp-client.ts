import type * as sdk from '@modelcontextprotocol/client'

/** The parts of an MCP SDK that a client needs. They have the same names in versions 1 and 2. */
export type McpSdk = Pick<typeof sdk, 'Client' | 'StreamableHTTPClientTransport' | 'UnauthorizedError'>

const redirectUri = 'http://localhost:49152/callback'

/** An MCP client that knows nothing but the URL of the server. Its user logs in when the issuer asks. */
export class McpClient {
  /** Every request of the client and of its user's browser: method, URL and the status of the answer. */
  readonly requests: string[] = []
  /** The scopes of each authorization request. */
  readonly asked: (string | null)[] = []
  readonly #sdk: McpSdk
  readonly #options: sdk.ClientOptions
  readonly #send: typeof fetch
  readonly #url: URL
  readonly #browser = new Browser()
  readonly #provider: sdk.OAuthClientProvider
  #authorizationUrl: URL | undefined
  #transport!: sdk.StreamableHTTPClientTransport
  #client: sdk.Client | undefined

  /** @param send - Replaces `fetch`, to add something to the requests. */
  constructor(sdk: McpSdk, url: string, options: sdk.ClientOptions = {}, send: typeof fetch = fetch) {
    this.#sdk = sdk
    this.#options = options
    this.#send = send
    this.#url = new URL(url)
    this.#provider = this.#createProvider()
  }

  /** Calls a tool, after the user has logged in as often as needed, and returns the text of the answer. */
  async callTool(name: string, parameters: Record<string, unknown> = {}): Promise<string> {
    const result = await this.#loggingIn(async () => {
      this.#client ??= await this.#connect()
      return this.#client.callTool({ name, arguments: parameters })
    })
    const [content] = result.content as { text: string }[]
    return content!.text
  }

  async close(): Promise<void> {
    await this.#client?.close()
  }

  async #connect(): Promise<sdk.Client> {
    const client = new this.#sdk.Client({ name: 'a client', version: '1.0.0' }, this.#options)
    this.#transport = new this.#sdk.StreamableHTTPClientTransport(this.#url, {
      authProvider: this.#provider,
      fetch: this.#fetch,
    })
    await client.connect(this.#transport)
    return client
  }

  async #loggingIn<T>(act: () => Promise<T>): Promise<T> {
    // Once for the first request, and once for each step-up.
    for (let logins = 0; ; logins++) {
      try {
        return await act()
      } catch (error) {
        if (!this.#authorizationUrl || logins === 3) throw error
        const { code, iss } = await this.#browser.logIn(this.#authorizationUrl, this.#fetch)
        this.#authorizationUrl = undefined
        // Version 1 has no second parameter.
        await this.#transport.finishAuth(code!, iss)
      }
    }
  }

  readonly #fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await this.#send(url, init)
    this.requests.push(`${init?.method ?? 'GET'} ${String(url).split('?')[0]} ${response.status}`)
    return response
  }

  #createProvider(): sdk.OAuthClientProvider {
    const saved: { client?: unknown; tokens?: unknown; verifier?: string; discovery?: unknown } = {}
    return {
      redirectUrl: redirectUri,
      clientMetadata: {
        client_name: 'a client',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      clientInformation: () => saved.client as never,
      saveClientInformation: (client) => void (saved.client = client),
      tokens: () => saved.tokens as never,
      saveTokens: (tokens) => void (saved.tokens = tokens),
      saveCodeVerifier: (verifier) => void (saved.verifier = verifier),
      codeVerifier: () => saved.verifier!,
      saveDiscoveryState: (state) => void (saved.discovery = state),
      discoveryState: () => saved.discovery as never,
      redirectToAuthorization: (url) => {
        this.asked.push(url.searchParams.get('scope'))
        this.#authorizationUrl = url
      },
    }
  }
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** As much of a browser as the login page of the demo's issuer needs: redirects, cookies and a form. */
class Browser {
  readonly #cookies = new Map<string, string>()

  /** Logs in, and returns the parameters with which the issuer sends the browser back to the client. */
  async logIn(authorizationUrl: URL, fetch: Fetch): Promise<Record<string, string>> {
    let url = authorizationUrl
    let init: RequestInit = {}
    while (!url.href.startsWith(redirectUri)) {
      const cookie = Array.from(this.#cookies, (pair) => pair.join('=')).join('; ')
      const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        this.#cookies.set(name!, value!)
      }
      const location = response.headers.get('location')
      // The login form is posted to its own URL.
      init = location === null ? { method: 'POST', body: new URLSearchParams({ name: 'ada' }) } : {}
      if (location !== null) url = new URL(location, url)
      else if (response.status !== 200) throw new Error(await response.text())
    }
    if (!url.searchParams.has('code')) throw new Error(`the issuer refused the request: ${url.search}`)
    return Object.fromEntries(url.searchParams)
  }
}
