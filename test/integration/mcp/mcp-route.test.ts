import { connect } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest, type LightMyRequestResponse } from 'fastify'
import jwksAuth, { type JwksAuthOptions } from '../../../lib/index.ts'
import { mcpRoute, type McpAuthInfo, type McpRule } from '../../../lib/mcp/index.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

/** The route of an MCP server: the rules of tools, headers and body, challenges, and what tools learn of the token. */

const issuer = await LocalIssuer.start()
test.after(() => issuer.close())

const url = 'https://api.example/mcp'
const metadata = ', resource_metadata="https://api.example/.well-known/oauth-protected-resource/mcp"'
const options = { issuer: issuer.issuer, audience: 'api', resource: url }
const rule = {
  scope: 'mcp',
  tools: { 'delete-note': { scope: 'notes:write' }, 'share-note': { anyScope: ['mail', 'notes:share'] } },
}

const method = ['GET', 'POST', 'DELETE']
const authOf = (request: FastifyRequest): McpAuthInfo | undefined =>
  (request.raw as { auth?: McpAuthInfo }).auth

interface Started {
  app: FastifyInstance
  /** How often the handler ran. */
  readonly handled: number
}

async function start(
  t: TestContext,
  given: McpRule | undefined,
  plugin: Partial<JwksAuthOptions> = {},
): Promise<Started> {
  // Some tests send a part of a request.
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const started = { app, handled: 0 }
  // Without await, and before the plugin.
  app.route({
    method,
    url: '/mcp',
    ...mcpRoute(given),
    handler: async () => {
      started.handled++
      return 'handled'
    },
  })
  app.register(jwksAuth, { ...options, ...plugin } as JwksAuthOptions)
  await app.ready()
  return started
}

interface Sent {
  scope?: string
  /** False: no token. */
  token?: false
  body?: unknown
  headers?: Record<string, string>
  method?: 'GET' | 'POST' | 'DELETE'
}

async function send(
  { app }: Started,
  { scope, token, body, headers = {}, method = 'POST' }: Sent,
): Promise<LightMyRequestResponse> {
  const authorization = token === false ? undefined : `Bearer ${await issuer.token({ claims: { scope } })}`
  return app.inject({
    method,
    url: '/mcp',
    headers: { ...(authorization !== undefined && { authorization }), ...headers },
    ...(body !== undefined && { payload: body as object }),
  })
}

const callTool = (name: unknown, id: number | undefined = 1): object => ({
  jsonrpc: '2.0',
  ...(id !== undefined && { id }),
  method: 'tools/call',
  params: { name, arguments: {} },
})
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const forbidden = (scope: string): string =>
  `Bearer realm="api", error="insufficient_scope", scope="${scope}"${metadata}`

suite('the rules', () => {
  const rows: [title: string, sent: Sent, passes: true | string][] = [
    ['a message without a tool and the scope of the route', { scope: 'mcp', body: list }, true],
    ['a message without a tool and no scope', { scope: 'notes:write', body: list }, 'mcp'],
    ['a GET and the scope of the route', { scope: 'mcp', method: 'GET' }, true],
    ['a GET and no scope', { method: 'GET' }, 'mcp'],
    ['a DELETE and the scope of the route', { scope: 'mcp', method: 'DELETE' }, true],
    ['a DELETE and no scope', { method: 'DELETE' }, 'mcp'],
    ['a tool without a rule', { scope: 'mcp', body: callTool('list-notes') }, true],
    ['a tool with its scope', { scope: 'mcp notes:write', body: callTool('delete-note') }, true],
    ['a tool without its scope', { scope: 'mcp', body: callTool('delete-note') }, 'mcp notes:write'],
    [
      'a tool with its scope and without that of the route',
      { scope: 'notes:write', body: callTool('delete-note') },
      'mcp',
    ],
    ['a tool with one of its scopes', { scope: 'mcp mail', body: callTool('share-note') }, true],
    [
      'a tool with none of its scopes',
      { scope: 'mcp', body: callTool('share-note') },
      'mcp mail notes:share',
    ],
    ['a call without an id', { scope: 'mcp', body: callTool('delete-note', undefined) }, 'mcp notes:write'],
    [
      'a prompt with the name of a tool',
      { scope: 'mcp', body: { ...callTool('delete-note'), method: 'prompts/get' } },
      true,
    ],
    ['a tool with the name of a tool in another case', { scope: 'mcp', body: callTool('Delete-Note') }, true],
    ['a tool with a name of Object.prototype', { scope: 'mcp', body: callTool('constructor') }, true],
    ['a call without parameters', { scope: 'mcp', body: { method: 'tools/call' } }, true],
    ['a batch of messages without tools', { scope: 'mcp', body: [list, list] }, true],
    ['a batch with a tool', { scope: 'mcp', body: [list, callTool('delete-note')] }, 'mcp notes:write'],
    [
      'a batch with a tool without an id',
      { scope: 'mcp', body: [list, callTool('delete-note', undefined)] },
      'mcp notes:write',
    ],
    [
      'a batch with two tools, with the scope of one of them',
      { scope: 'mcp notes:write', body: [callTool('delete-note'), callTool('share-note')] },
      'mcp notes:write mail notes:share',
    ],
    [
      'a batch with two tools and their scopes',
      { scope: 'mcp notes:write mail', body: [callTool('delete-note'), callTool('share-note')] },
      true,
    ],
    [
      'a batch with the same tool twice',
      { scope: 'mcp', body: [callTool('delete-note'), callTool('delete-note')] },
      'mcp notes:write',
    ],
    ['an empty batch', { scope: 'mcp', body: [] }, true],
    [
      'a batch of things that are no messages',
      { scope: 'mcp', body: [1, 'tools/call', null, [callTool('delete-note')]] },
      true,
    ],
  ]
  for (const [title, sent, passes] of rows) {
    test(`${title}: the request is ${passes === true ? 'permitted' : `refused, and the challenge names ${passes}`}`, async (t) => {
      const started = await start(t, rule)
      const response = await send(started, sent)
      t.assert.equal(response.statusCode, passes === true ? 200 : 403)
      t.assert.equal(response.headers['www-authenticate'], passes === true ? undefined : forbidden(passes))
      t.assert.equal(started.handled, passes === true ? 1 : 0)
    })
  }

  for (const [title, given] of [
    ['no rule', undefined],
    ['an empty rule', {}],
    ['rules of tools only', { tools: rule.tools }],
  ] as const) {
    test(`with ${title} any valid token may list tools, and none is refused`, async (t) => {
      const started = await start(t, given)
      t.assert.equal((await send(started, { body: list })).statusCode, 200)
      const refused = await send(started, { token: false, body: list })
      t.assert.equal(refused.statusCode, 401)
      t.assert.equal(refused.headers['www-authenticate'], `Bearer realm="api"${metadata}`)
    })
  }

  test('the rule of a tool is checked where the route has none', async (t) => {
    const response = await send(await start(t, { tools: rule.tools }), { body: callTool('delete-note') })
    t.assert.equal(response.headers['www-authenticate'], forbidden('notes:write'))
  })

  test('claims, acr and check of the route and of the tool are all checked, and a check is called once', async (t) => {
    const asked: unknown[] = []
    const check = (name: string) => async (): Promise<boolean> => asked.push(name) > 0
    const given: McpRule = {
      claims: { sub: 'someone' },
      check: check('route'),
      tools: {
        a: { check: check('a') },
        no: { scope: 'mcp', check: () => false },
        other: { claims: { sub: 'another' } },
        mfa: { acr: 'mfa', scope: 'x' },
      },
    }
    const started = await start(t, given)
    t.assert.equal((await send(started, { body: [callTool('a'), callTool('a')] })).statusCode, 200)
    t.assert.deepEqual(asked, ['route', 'a'])
    const refused = await send(started, { scope: 'mcp', body: callTool('no') })
    t.assert.equal(refused.headers['www-authenticate'], forbidden('mcp'))
    const other = await send(started, { body: callTool('other') })
    t.assert.equal(
      other.headers['www-authenticate'],
      `Bearer realm="api", error="insufficient_scope"${metadata}`,
    )
    const mfa = await send(started, { scope: 'x', body: callTool('mfa') })
    t.assert.equal(mfa.statusCode, 401)
    t.assert.equal(
      mfa.headers['www-authenticate'],
      `Bearer realm="api", error="insufficient_user_authentication", scope="x", acr_values="mfa"${metadata}`,
    )
  })

  for (const result of [undefined, 1, 'true', {}]) {
    test(`a check of a tool that returns ${JSON.stringify(result)} refuses the call`, async (t) => {
      const started = await start(t, { tools: { a: { check: async () => result as never } } })
      t.assert.equal((await send(started, { body: callTool('a') })).statusCode, 403)
      t.assert.equal(started.handled, 0)
    })
  }

  test('missing scopes of a tool are refused before the acr of the route', async (t) => {
    const started = await start(t, { acr: 'mfa', tools: rule.tools })
    const headers = { 'mcp-method': 'tools/call', 'mcp-name': 'delete-note' }
    const response = await send(started, { headers, body: callTool('delete-note') })
    t.assert.equal(response.headers['www-authenticate'], forbidden('notes:write'))
  })

  test('a wrong rule is a TypeError where the route is declared', (t) => {
    const wrong: [given: unknown, message: string][] = [
      [null, '"mcpRoute" must be a plain object'],
      [
        { scopes: 'a' },
        '"mcpRoute.scopes" is unknown; known are scope, anyScope, claims, acr, maxAuthAge, check; did you mean "mcpRoute.scope"?',
      ],
      [{ scope: '' }, '"mcpRoute.scope" must be a non-empty string'],
      [{ tools: [] }, '"mcpRoute.tools" must be a plain object'],
      [
        { tools: { a: {} } },
        '"mcpRoute.tools.a" must have at least one of scope, anyScope, claims, acr, maxAuthAge, check',
      ],
      [{ tools: { a: undefined } }, '"mcpRoute.tools.a" must be a rule, as in { scope: … }'],
      [
        { tools: { a: { scope: 'x"y' } } },
        '"mcpRoute.tools.a.scope" must contain scopes of printable ASCII without quotes and backslashes (RFC 6749 section 3.3)',
      ],
    ]
    for (const [given, message] of wrong) {
      t.assert.throws(() => mcpRoute(given as McpRule), {
        name: 'TypeError',
        message: `fastify-jwks-auth: option ${message}`,
      })
    }
  })
})

suite('before the body is read', () => {
  const unread = { 'content-type': 'application/json', 'content-length': '1000' }
  const mirror = (name: string, called = 'tools/call'): Record<string, string> => ({
    'mcp-method': called,
    'mcp-name': name,
  })
  const rows: [title: string, sent: Sent, status: number, challenge: string][] = [
    ['no token', { token: false }, 401, `Bearer realm="api", scope="mcp"${metadata}`],
    [
      'no token, and headers that name a tool',
      { token: false, headers: mirror('delete-note') },
      401,
      `Bearer realm="api", scope="mcp notes:write"${metadata}`,
    ],
    [
      'no token, and headers that name a tool in base64',
      { token: false, headers: mirror('=?base64?ZGVsZXRlLW5vdGU=?=') },
      401,
      `Bearer realm="api", scope="mcp notes:write"${metadata}`,
    ],
    [
      'no token, and headers that name a prompt',
      { token: false, headers: mirror('delete-note', 'prompts/get') },
      401,
      `Bearer realm="api", scope="mcp"${metadata}`,
    ],
    [
      'no token, and Mcp-Name alone',
      { token: false, headers: { 'mcp-name': 'delete-note' } },
      401,
      `Bearer realm="api", scope="mcp"${metadata}`,
    ],
    ['no scope of the route', {}, 403, forbidden('mcp')],
    [
      'no scope of the tool that the headers name',
      { scope: 'mcp', headers: mirror('delete-note') },
      403,
      forbidden('mcp notes:write'),
    ],
  ]
  for (const [title, sent, status, challenge] of rows) {
    test(`a request with ${title} is refused before its body is read`, async (t) => {
      const { app } = await start(t, rule)
      await app.listen({ host: '127.0.0.1', port: 0 })
      const authorization =
        sent.token === false
          ? {}
          : { authorization: `Bearer ${await issuer.token({ claims: { scope: sent.scope } })}` }
      const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
      t.after(() => socket.destroy())
      const lines = Object.entries({ host: 'x', ...unread, ...authorization, ...sent.headers })
      socket.write(
        `POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
      )
      const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
      const answer = data.toString('latin1')
      t.assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
      t.assert.equal(/^www-authenticate: (.*)\r$/im.exec(answer)?.[1], challenge)
    })
  }
})

suite('headers and body', () => {
  const all = 'mcp notes:write mail'
  const mirror = (called: string, name?: string): Record<string, string> => ({
    'mcp-method': called,
    ...(name !== undefined && { 'mcp-name': name }),
  })
  const message = (called: string, params: object): object => ({
    jsonrpc: '2.0',
    id: 1,
    method: called,
    params,
  })
  const rows: [title: string, headers: Record<string, string>, body: unknown, status: 200 | 400][] = [
    ['the method', mirror('tools/list'), list, 200],
    ['another method', mirror('tools/list'), callTool('list-notes'), 400],
    ['the method in another case', mirror('Tools/List'), list, 400],
    ['the tool', mirror('tools/call', 'delete-note'), callTool('delete-note'), 200],
    ['the tool, without the method', { 'mcp-name': 'delete-note' }, callTool('delete-note'), 200],
    ['another tool', mirror('tools/call', 'list-notes'), callTool('delete-note'), 400],
    ['another tool, without the method', { 'mcp-name': 'list-notes' }, callTool('delete-note'), 400],
    ['a tool for a call without a name', mirror('tools/call', 'list-notes'), { method: 'tools/call' }, 400],
    ['the tool in base64', mirror('tools/call', '=?base64?w6Q=?='), callTool('ä'), 200],
    ['another tool in base64', mirror('tools/call', '=?base64?w6Q=?='), callTool('a'), 400],
    [
      'the tool in its own base64',
      mirror('tools/call', '=?base64?PT9iYXNlNjQ/YT89?='),
      callTool('=?base64?a?='),
      200,
    ],
    ['base64 without padding', mirror('tools/call', '=?base64?w6Q?='), callTool('ä'), 400],
    ['base64 that is not UTF-8', mirror('tools/call', '=?base64?/w==?='), callTool('\ufffd'), 400],
    ['the prefix of base64 in another case', mirror('tools/call', '=?BASE64?w6Q=?='), callTool('ä'), 400],
    ['the prompt', mirror('prompts/get', 'a'), message('prompts/get', { name: 'a' }), 200],
    ['another prompt', mirror('prompts/get', 'a'), message('prompts/get', { name: 'b' }), 400],
    [
      'the resource',
      mirror('resources/read', 'file:///a'),
      message('resources/read', { uri: 'file:///a' }),
      200,
    ],
    [
      'the name of a resource instead of its uri',
      mirror('resources/read', 'a'),
      message('resources/read', { name: 'a', uri: 'b' }),
      400,
    ],
    ['the task', mirror('tasks/cancel', '7'), message('tasks/cancel', { taskId: '7' }), 200],
    ['another task', mirror('tasks/get', '7'), message('tasks/get', { taskId: '8' }), 400],
    ['a task that is a number', mirror('tasks/get', '7'), message('tasks/get', { taskId: 7 }), 400],
    ['a name for a method without one', mirror('tools/list', 'a'), message('tools/list', { name: 'a' }), 400],
    ['the method of all messages of a batch', mirror('tools/list'), [list, list], 200],
    [
      'the method of one of the messages of a batch',
      mirror('tools/list'),
      [list, callTool('delete-note')],
      400,
    ],
    [
      'the tool of one of the messages of a batch',
      mirror('tools/call', 'delete-note'),
      [callTool('delete-note'), callTool('share-note')],
      400,
    ],
    ['a method for a result', mirror('tools/list'), { jsonrpc: '2.0', id: 1, result: {} }, 400],
    ['a method in a batch with something else', mirror('tools/list'), [list, null], 400],
  ]
  for (const [title, headers, body, status] of rows) {
    test(`headers that name ${title} are answered ${status}`, async (t) => {
      const started = await start(t, rule)
      const response = await send(started, { scope: all, headers, body })
      t.assert.equal(response.statusCode, status)
      t.assert.equal(started.handled, status === 200 ? 1 : 0)
      if (status === 400) {
        const { code, message: text } = response.json<{ code: string; message: string }>()
        t.assert.equal(code, 'mcp_header_mismatch')
        t.assert.equal(text, 'the headers Mcp-Method and Mcp-Name must agree with the body')
      }
    })
  }

  for (const twice of [
    'Mcp-Method: tools/call\r\nmcp-method: tools/call',
    'Mcp-Name: a, b\r\nMCP-NAME: a, b',
    'Mcp-Name: a\r\nMcp-Name: b',
  ]) {
    test(`a header that is sent twice is answered 400: ${JSON.stringify(twice)}`, async (t) => {
      const { app } = await start(t, rule)
      await app.listen({ host: '127.0.0.1', port: 0 })
      const body = JSON.stringify(callTool('a, b'))
      const token = await issuer.token({ claims: { scope: all } })
      const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
      t.after(() => socket.destroy())
      socket.write(
        `POST /mcp HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n` +
          `content-length: ${body.length}\r\n${twice}\r\n\r\n${body}`,
      )
      const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
      t.assert.match(data.toString(), /^HTTP\/1.1 400 /)
    })
  }

  test('headers that name a permitted tool don’t hide another one in the body', async (t) => {
    const started = await start(t, rule)
    const response = await send(started, {
      scope: 'mcp',
      headers: mirror('tools/call', 'list-notes'),
      body: callTool('delete-note'),
    })
    t.assert.equal(response.statusCode, 403)
    t.assert.equal(started.handled, 0)
  })

  for (const name of [['delete-note'], { toString: 1 }, 5, null, true]) {
    test(`a tool whose name is ${JSON.stringify(name)} is answered 400`, async (t) => {
      const started = await start(t, rule)
      const response = await send(started, { scope: all, body: callTool(name) })
      t.assert.equal(response.statusCode, 400)
      t.assert.equal(response.json<{ code: string }>().code, 'mcp_invalid_tool_name')
      t.assert.equal(started.handled, 0)
    })
  }
})

suite('bodies', () => {
  const unsupported = async (
    t: TestContext,
    response: LightMyRequestResponse,
    { handled }: Started,
  ): Promise<void> => {
    t.assert.equal(response.statusCode, 415)
    t.assert.equal(response.json<{ code: string }>().code, 'mcp_unsupported_body')
    t.assert.equal(handled, 0)
  }

  const bodies: [title: string, type: string, parse: ((body: string) => unknown) | undefined][] = [
    ['a string', 'text/plain', undefined],
    ['null', 'application/json', () => null],
    ['a number', 'application/json', () => 5],
    ['bytes', 'application/json', (body) => Buffer.from(body)],
    ['an object of a class', 'application/json', () => new URLSearchParams()],
  ]
  for (const [title, type, parse] of bodies) {
    test(`a POST whose body was parsed to ${title} is answered 415`, async (t) => {
      const app = Fastify()
      t.after(() => app.close())
      if (parse) {
        app.removeContentTypeParser(type)
        app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) =>
          done(null, parse(body as string)),
        )
      }
      const started = { app, handled: 0 }
      app.register(jwksAuth, options)
      app.route({ method, url: '/mcp', ...mcpRoute(rule), handler: async () => void started.handled++ })
      const body = JSON.stringify(callTool('delete-note'))
      await unsupported(
        t,
        await send(started, { scope: 'mcp', body, headers: { 'content-type': type } }),
        started,
      )
    })
  }

  test('a POST without a body is answered 415', async (t) => {
    const started = await start(t, rule)
    await unsupported(t, await send(started, { scope: 'mcp' }), started)
  })

  test('a POST whose body no parser reads needs a token first', async (t) => {
    const started = await start(t, rule)
    const headers = { 'content-type': 'text/plain' }
    t.assert.equal((await send(started, { token: false, body: 'x', headers })).statusCode, 401)
    t.assert.equal((await send(started, { body: 'x', headers })).statusCode, 403)
  })

  test('a tool that a schema makes of the body is checked', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    const started = { app, handled: 0 }
    app.register(jwksAuth, options)
    const params = { type: 'object', properties: { name: { type: 'string', default: 'delete-note' } } }
    const body = { type: 'object', properties: { method: { type: 'string' }, params } }
    app.route({
      method: 'POST',
      url: '/mcp',
      schema: { body },
      ...mcpRoute(rule),
      handler: async () => void started.handled++,
    })
    const response = await send(started, { scope: 'mcp', body: { method: 'tools/call', params: {} } })
    t.assert.equal(response.statusCode, 403)
    t.assert.equal(started.handled, 0)
  })
})

suite('the route', () => {
  for (const name of ['onRequest', 'preValidation', 'preHandler'] as const) {
    test(`an ${name} hook that replaces that of mcpRoute leaves the tools protected`, async (t) => {
      const app = Fastify()
      t.after(() => app.close())
      const started = { app, handled: 0 }
      app.register(jwksAuth, options)
      const own = { [name]: async () => {} }
      app.route({
        method,
        url: '/mcp',
        ...mcpRoute(rule),
        ...own,
        handler: async () => void started.handled++,
      })
      t.assert.equal((await send(started, { token: false, body: list })).statusCode, 401)
      t.assert.equal((await send(started, { token: false, method: 'GET' })).statusCode, 401)
      t.assert.equal((await send(started, { scope: 'mcp', body: callTool('delete-note') })).statusCode, 403)
      t.assert.equal(started.handled, 0)
    })
  }

  test('without a plugin in the scope every request is answered 500', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    const started = { app, handled: 0 }
    app.register(async (scope) => scope.register(jwksAuth, options))
    app.route({ method, url: '/mcp', ...mcpRoute(rule), handler: async () => void started.handled++ })
    for (const sent of [{ body: list }, { token: false as const, body: list }, { method: 'GET' as const }]) {
      t.assert.equal((await send(started, sent)).statusCode, 500)
    }
    t.assert.equal(started.handled, 0)
  })

  test('with global the challenges are those of mcpRoute', async (t) => {
    const started = await start(t, rule, { global: true })
    const headers = { 'mcp-method': 'tools/call', 'mcp-name': 'delete-note' }
    const anonymous = await send(started, { token: false, body: list })
    t.assert.equal(anonymous.headers['www-authenticate'], `Bearer realm="api", scope="mcp"${metadata}`)
    const named = await send(started, { token: false, headers, body: callTool('delete-note') })
    t.assert.equal(
      named.headers['www-authenticate'],
      `Bearer realm="api", scope="mcp notes:write"${metadata}`,
    )
    const refused = await send(started, { scope: 'mcp', body: callTool('delete-note') })
    t.assert.equal(refused.headers['www-authenticate'], forbidden('mcp notes:write'))
    t.assert.equal((await send(started, { scope: 'mcp', body: list })).statusCode, 200)
    t.assert.equal((await send({ ...started }, { method: 'GET', token: false })).statusCode, 401)
  })

  test('a check is called once with global', async (t) => {
    let calls = 0
    const started = await start(t, { check: () => ++calls > 0 }, { global: true })
    t.assert.equal((await send(started, { body: list })).statusCode, 200)
    t.assert.equal(calls, 1)
  })

  test('a config of the application in place of that of mcpRoute leaves the route protected', async (t) => {
    for (const requirement of [false, 'optional'] as const) {
      const app = Fastify()
      t.after(() => app.close())
      const started = { app, handled: 0 }
      app.register(jwksAuth, { ...options, global: true })
      app.route({
        method,
        url: '/mcp',
        ...mcpRoute(rule),
        config: { jwksAuth: requirement },
        handler: async () => void started.handled++,
      })
      t.assert.equal((await send(started, { token: false, body: list })).statusCode, 401)
      t.assert.equal((await send(started, { scope: 'mcp', body: callTool('delete-note') })).statusCode, 403)
      t.assert.equal(started.handled, 0)
    }
  })

  test('a broader scope permits what the scopes that it implies permit, and tools see the scopes of the token', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(jwksAuth, { ...options, impliedScopes: { admin: ['mcp', 'notes:write'] } })
    let auth: McpAuthInfo | undefined
    app.route({
      method,
      url: '/mcp',
      ...mcpRoute(rule),
      handler: async (request) => void (auth = authOf(request)),
    })
    const response = await send({ app, handled: 0 }, { scope: 'admin', body: callTool('delete-note') })
    t.assert.equal(response.statusCode, 200)
    t.assert.deepEqual(auth!.scopes, ['admin'])
  })

  test('hooks of mcpRoute for the whole scope leave the metadata public', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    const hooks = mcpRoute(rule)
    await app.register(jwksAuth, options)
    app.addHook('onRequest', hooks.onRequest)
    app.addHook('preHandler', hooks.preHandler)
    t.assert.equal((await app.inject('/.well-known/oauth-protected-resource/mcp')).statusCode, 200)
  })
})

suite('what tools learn of the token', () => {
  const rows: [title: string, claims: Record<string, unknown>, expected: Partial<McpAuthInfo>][] = [
    ['client_id', { client_id: 'a', azp: 'b', appid: 'c' }, { clientId: 'a' }],
    ['azp', { azp: 'b', appid: 'c' }, { clientId: 'b' }],
    ['appid', { azp: 5, appid: 'c' }, { clientId: 'c' }],
    ['no client', {}, { clientId: '' }],
    [
      'scopes of three claims',
      { scope: 'a  b', scp: ['c', 5], permissions: ['d d'] },
      { scopes: ['a', 'b', 'c', 'd d'] },
    ],
    ['no scopes', {}, { scopes: [] }],
  ]
  for (const [title, claims, expected] of rows) {
    test(`request.raw.auth is made of a token with ${title}`, async (t) => {
      const app = Fastify()
      t.after(() => app.close())
      app.register(jwksAuth, options)
      let auth: McpAuthInfo | undefined
      app.route({
        method,
        url: '/mcp',
        ...mcpRoute(),
        handler: async (request) => void (auth = authOf(request)),
      })
      const token = await issuer.token({ claims: { exp: 2_000_000_000, ...claims } })
      await app.inject({
        method: 'POST',
        url: '/mcp',
        headers: { authorization: `Bearer ${token}` },
        payload: list,
      })
      const { extra, resource, ...rest } = auth!
      t.assert.deepEqual({ ...rest, ...expected }, rest)
      t.assert.equal(rest.token, token)
      t.assert.equal(rest.expiresAt, 2_000_000_000)
      t.assert.equal(resource instanceof URL && resource.href, url)
      t.assert.equal(extra.claims.sub, 'someone')
    })
  }

  test('request.raw.auth has no resource without the option', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(jwksAuth, { issuer: issuer.issuer, audience: 'api', formatUser: () => ({ id: 1 }) as never })
    let auth: McpAuthInfo | undefined
    app.route({
      method,
      url: '/mcp',
      ...mcpRoute(),
      handler: async (request) => void (auth = authOf(request)),
    })
    const headers = { authorization: `Bearer ${await issuer.token()}` }
    await app.inject({ method: 'GET', url: '/mcp', headers })
    t.assert.equal('resource' in auth!, false)
    t.assert.equal(auth!.extra.claims.sub, 'someone')
  })
})
