import { suite, test, type TestContext } from 'node:test'
import fastifyAuth from '@fastify/auth'
import cors from '@fastify/cors'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify'
import jwksAuth, {
  authenticate,
  authorize,
  type AuthorizeOptions,
  type JwksAuthOptions,
} from '../../lib/index.ts'
import { unsignedToken, LocalIssuer, now } from '../helpers/issuer.ts'

/** The API as a protected resource (RFC 9728): the route of the document, and the challenges that lead to it. */

const issuer = await LocalIssuer.start()
test.after(() => issuer.close())

const url = 'https://api.example/mcp'
const path = '/.well-known/oauth-protected-resource/mcp'
const href = `https://api.example${path}`
const options = { issuer: issuer.issuer, audience: 'api', resource: url }
const document = {
  resource: url,
  authorization_servers: [issuer.issuer],
  bearer_methods_supported: ['header'],
}

type Declare = (app: FastifyInstance) => unknown

/** Starts an application with the plugin. `before` runs before the registration, `after` after it. */
async function start(
  t: TestContext,
  given: Partial<JwksAuthOptions> = {},
  { before, after }: { before?: Declare; after?: Declare } = {},
): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(() => app.close())
  await before?.(app)
  await app.register(jwksAuth, { ...options, ...given } as JwksAuthOptions)
  await after?.(app)
  return app
}

suite('the document', () => {
  for (const method of ['GET', 'HEAD'] as const) {
    test(`${method} of the metadata is answered to everybody, as cacheable JSON`, async (t) => {
      const app = await start(t)
      const response = await app.inject({ method, url: path })
      t.assert.equal(response.statusCode, 200)
      const { headers } = response
      t.assert.match(String(headers['content-type']), /^application\/json\b/)
      t.assert.equal(headers['cache-control'], 'public, max-age=3600')
      t.assert.equal(headers['access-control-allow-origin'], '*')
      t.assert.equal(headers['www-authenticate'], undefined)
      t.assert.equal(headers['content-length'], String(JSON.stringify(document).length))
      t.assert.deepEqual(response.body, method === 'GET' ? JSON.stringify(document) : '')
    })
  }

  const places: [resource: string, place: string][] = [
    ['https://api.example', '/.well-known/oauth-protected-resource'],
    ['https://api.example/', '/.well-known/oauth-protected-resource'],
    ['https://api.example/mcp/', `${path}/`],
    ['https://api.example/a:b', '/.well-known/oauth-protected-resource/a:b'],
    ['https://api.example/~me/%C3%A4', '/.well-known/oauth-protected-resource/~me/%C3%A4'],
    ['http://localhost:3000/mcp', path],
  ]
  for (const [resource, place] of places) {
    test(`the metadata of ${resource} is served at ${place}`, async (t) => {
      const app = await start(t, { resource })
      const response = await app.inject(place)
      t.assert.equal(response.json<typeof document>().resource, resource)
    })
  }

  test('the application gets the document of app.protectedResourceMetadata', async (t) => {
    const app = await start(t, { resource: { resource: url, resource_name: 'Notes' } })
    const metadata = app.protectedResourceMetadata()
    t.assert.deepEqual(metadata, { ...document, resource_name: 'Notes' })
    t.assert.equal(Object.isFrozen(metadata), true)
  })

  test('app.protectedResourceMetadata throws without resource', async (t) => {
    const app = await start(t, { resource: undefined as never })
    t.assert.throws(() => app.protectedResourceMetadata(), {
      message: 'fastify-jwks-auth: option "resource" is required for app.protectedResourceMetadata()',
    })
    t.assert.equal((await app.inject(path)).statusCode, 404)
  })

  test('an OpenAPI document leaves the route of the metadata out', async (t) => {
    const before: Declare = (app) => app.register(swagger, { openapi: { openapi: '3.0.3' } })
    const app = await start(t, {}, { before, after: (it) => it.get('/notes', async () => 'x') })
    await app.ready()
    t.assert.deepEqual(Object.keys(app.swagger().paths ?? {}), ['/notes'])
  })
})

suite('the document needs no token', () => {
  const requireToken: Declare = (app) =>
    app.addHook('onRequest', (request, reply) => app.authenticate(request, reply))
  const scopes: [title: string, declare: { before?: Declare; after?: Declare }][] = [
    ['a hook of the scope', { after: (app) => app.addHook('onRequest', app.authenticate) }],
    ['a hook of the scope that was added before', { before: requireToken }],
    ['a hook with a rule', { after: (app) => app.addHook('preHandler', app.authorize({ scope: 'a' })) }],
    [
      'a hook of @fastify/auth',
      {
        before: (app) => app.register(fastifyAuth),
        after: (app) => app.addHook('onRequest', app.auth([app.authenticate] as never)),
      },
    ],
  ]
  for (const [title, declare] of scopes) {
    test(`${title} lets everybody read the metadata, and protects the other routes`, async (t) => {
      const app = await start(t, {}, declare)
      app.get('/notes', async () => 'x')
      const expired = await issuer.token({ claims: { exp: now() - 60 } })
      for (const headers of [{}, { authorization: 'Basic YTpi' }, { authorization: `Bearer ${expired}` }]) {
        t.assert.equal((await app.inject({ url: path, headers })).statusCode, 200)
        t.assert.equal((await app.inject({ method: 'OPTIONS', url: path, headers })).statusCode, 204)
        t.assert.equal((await app.inject({ url: '/notes', headers })).statusCode, 401)
      }
    })
  }

  test('an exported hook above sibling scopes lets everybody read the metadata of each', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.addHook('onRequest', authenticate)
    app.addHook('preHandler', authorize({ scope: 'a' }))
    for (const name of ['mcp', 'mail']) {
      const resource = `https://api.example/${name}`
      app.register(async (scope) => {
        scope.register(jwksAuth, { ...options, resource })
        scope.get(`/${name}`, async () => 'x')
      })
    }
    for (const name of ['mcp', 'mail']) {
      t.assert.equal((await app.inject(`/.well-known/oauth-protected-resource/${name}`)).statusCode, 200)
      t.assert.equal((await app.inject(`/${name}`)).statusCode, 401)
    }
  })

  test('another route below /.well-known/ needs its token', async (t) => {
    const app = await start(t, {}, { after: (it) => it.addHook('onRequest', it.authenticate) })
    app.get('/.well-known/other', async () => 'x')
    t.assert.equal((await app.inject('/.well-known/other')).statusCode, 401)
    t.assert.equal((await app.inject(`${path}/other`)).statusCode, 401)
  })

  test('the metadata is served while the issuer is down and getToken fails', async (t) => {
    const getToken = (): never => {
      throw new Error('no session')
    }
    const app = await start(t, { getToken }, { after: (it) => it.addHook('onRequest', it.authenticate) })
    t.assert.equal((await app.inject(path)).statusCode, 200)
  })
})

suite('CORS', () => {
  const headers = {
    origin: 'https://client.example',
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'mcp-protocol-version',
  }
  const preflight: InjectOptions = { method: 'OPTIONS', url: path, headers }
  const few = { origin: 'https://app.example', allowedHeaders: ['Authorization'], credentials: true }
  const cases: [title: string, declare: { before?: Declare; after?: Declare }][] = [
    ['without @fastify/cors', {}],
    ['with @fastify/cors for one origin, registered before', { before: (app) => app.register(cors, few) }],
    ['with @fastify/cors for one origin, registered after', { after: (app) => app.register(cors, few) }],
    [
      'with @fastify/cors and a function',
      {
        before: (app) =>
          app.register(
            cors,
            () => (_request: unknown, done: (error: null, given: object) => void) => done(null, few),
          ),
      },
    ],
  ]
  for (const [title, declare] of cases) {
    test(`a page of any origin may read the metadata ${title}`, async (t) => {
      const app = await start(t, {}, declare)
      const allowed = await app.inject(preflight)
      t.assert.equal(allowed.statusCode, 204)
      t.assert.equal(allowed.headers['access-control-allow-origin'], '*')
      t.assert.equal(allowed.headers['access-control-allow-methods'], 'GET, HEAD')
      t.assert.equal(allowed.headers['access-control-allow-headers'], 'mcp-protocol-version')
      const { statusCode, headers: answered } = await app.inject({
        url: path,
        headers: { origin: headers.origin },
      })
      t.assert.equal(statusCode, 200)
      t.assert.equal(answered['access-control-allow-origin'], '*')
      t.assert.equal(answered['access-control-allow-credentials'], undefined)
    })
  }

  test('a preflight without requested headers is answered', async (t) => {
    const app = await start(t)
    const response = await app.inject({ method: 'OPTIONS', url: path })
    t.assert.equal(response.statusCode, 204)
    t.assert.equal('access-control-allow-headers' in response.headers, false)
  })
})

suite('errors at registration', () => {
  const own = 'serve app.protectedResourceMetadata() yourself and set serveMetadata: false'
  const exists = `fastify-jwks-auth: the metadata of "resource" belongs at ${path}, where another route exists; remove that route, give each resource a path of its own, or ${own}`

  for (const method of ['GET', 'HEAD', 'OPTIONS'] as const) {
    test(`a ${method} route at the path of the metadata is an error`, async (t) => {
      const before: Declare = (app) => app.route({ method, url: path, handler: async () => 'mine' })
      await t.assert.rejects(start(t, {}, { before }), { message: exists })
    })
  }

  test('a second resource with the same path is an error', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(async (scope) => scope.register(jwksAuth, options))
    app.register(async (scope) => scope.register(jwksAuth, { ...options, resource: 'https://b.example/mcp' }))
    await t.assert.rejects(async () => app.ready(), { message: exists })
  })

  test('a scope with a prefix is an error', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(async (scope) => scope.register(jwksAuth, options), { prefix: '/v1' })
    await t.assert.rejects(async () => app.ready(), {
      message: `fastify-jwks-auth: the metadata of "resource" belongs at ${path}, but this scope has the prefix /v1; register the plugin in a scope without one, or ${own}`,
    })
  })

  for (const resource of [
    'https://api.example/a*b',
    'https://api.example/a%2Fb',
    'https://api.example/%E4',
  ]) {
    test(`a path that Fastify can't route is an error: ${resource}`, async (t) => {
      const place = resource.replace('https://api.example', '/.well-known/oauth-protected-resource')
      await t.assert.rejects(start(t, { resource }), {
        message: `fastify-jwks-auth: the metadata of "resource" belongs at ${place}, which Fastify can't route; choose another "resource", or ${own}`,
      })
    })
  }

  test('with serveMetadata: false the application serves the document, in a scope with a prefix too', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(
      async (scope) => {
        await scope.register(jwksAuth, { ...options, serveMetadata: false })
        scope.get('/metadata', async () => scope.protectedResourceMetadata())
        scope.get('/notes', { onRequest: scope.authenticate }, async () => 'x')
      },
      { prefix: '/v1' },
    )
    t.assert.equal((await app.inject(path)).statusCode, 404)
    t.assert.deepEqual((await app.inject('/v1/metadata')).json(), document)
    const { headers } = await app.inject('/v1/notes')
    t.assert.equal(headers['www-authenticate'], `Bearer realm="api", resource_metadata="${href}"`)
  })

  test('a path with characters that the router decodes works with serveMetadata: false', async (t) => {
    const app = await start(t, { resource: 'https://api.example/a*b', serveMetadata: false })
    t.assert.equal(app.protectedResourceMetadata().resource, 'https://api.example/a*b')
  })
})

suite('challenges', () => {
  const rule: AuthorizeOptions = {
    scope: ['notes:read', 'notes:write'],
    anyScope: 'a offline_access',
    acr: 'mfa',
  }
  const scope = 'scope="notes:read notes:write a"'
  const good = { scope: 'notes:read notes:write a' }

  /** What a request presents, and the parameters of the answer that say why it is refused. */
  const refusals: [
    title: string,
    authorization: () => string | undefined | Promise<string>,
    status: number,
    why: string,
  ][] = [
    ['no token', () => undefined, 401, ''],
    ['another scheme', () => 'Basic YTpi', 401, ''],
    ['the scheme alone', () => 'Bearer', 401, ', error="invalid_request"'],
    ['an unreadable token', () => 'Bearer x', 401, ', error="invalid_token"'],
    [
      'a token with alg none',
      () => `Bearer ${unsignedToken({ alg: 'none' }, issuer.claims())}`,
      401,
      ', error="invalid_token"',
    ],
    [
      'a token with an unknown key',
      async () => `Bearer ${await issuer.token({ header: { kid: 'x' } })}`,
      401,
      ', error="invalid_token"',
    ],
    [
      'a token with another signature',
      async () => `Bearer ${(await issuer.token()).slice(0, -8)}AAAAAAAA`,
      401,
      ', error="invalid_token"',
    ],
    [
      'a token of another issuer',
      async () => `Bearer ${await issuer.token({ claims: { iss: 'x' } })}`,
      401,
      ', error="invalid_token"',
    ],
    [
      'an expired token',
      async () => `Bearer ${await issuer.token({ claims: { exp: now() - 60 } })}`,
      401,
      ', error="invalid_token"',
    ],
    [
      'a token for another audience',
      async () => `Bearer ${await issuer.token({ claims: { aud: 'b' } })}`,
      401,
      ', error="invalid_token"',
    ],
    [
      'a revoked token',
      async () => `Bearer ${await issuer.token({ claims: { sub: 'revoked' } })}`,
      401,
      ', error="invalid_token"',
    ],
    [
      'a token without the scopes',
      async () => `Bearer ${await issuer.token()}`,
      403,
      ', error="insufficient_scope"',
    ],
    [
      'a token without the acr',
      async () => `Bearer ${await issuer.token({ claims: good })}`,
      401,
      ', error="insufficient_user_authentication"',
    ],
  ]

  const isRevoked: JwksAuthOptions['isRevoked'] = ({ sub }) => sub === 'revoked'
  const ask = async (
    app: FastifyInstance,
    route: string,
    authorization: string | undefined,
  ): Promise<LightMyRequestResponse> =>
    app.inject({ url: route, headers: authorization === undefined ? {} : { authorization } })

  for (const [title, authorization, status, why] of refusals) {
    test(`the challenge for ${title} names the metadata, and the scopes of a rule`, async (t) => {
      const declare = (app: FastifyInstance): void => {
        app.get('/plain', { onRequest: app.authenticate }, async () => 'x')
        app.get('/ruled', { onRequest: app.authorize(rule) }, async () => 'x')
        app.get('/claims', { onRequest: app.authorize({ claims: { sub: 'nobody' } }) }, async () => 'x')
      }
      const withResource = await start(t, { isRevoked }, { after: declare })
      const without = await start(t, { isRevoked, resource: undefined as never }, { after: declare })
      const metadata = `, resource_metadata="${href}"`
      const acr = why.includes('user_authentication') ? ', acr_values="mfa"' : ''
      const sent = await authorization()

      const ruled = await ask(withResource, '/ruled', sent)
      t.assert.equal(ruled.statusCode, status)
      t.assert.equal(ruled.headers['www-authenticate'], `Bearer realm="api"${why}, ${scope}${acr}${metadata}`)
      t.assert.equal(
        (await ask(without, '/ruled', sent)).headers['www-authenticate'],
        `Bearer realm="api"${why}, ${scope}${acr}`,
      )
      if (status === 403 || acr) return
      for (const route of ['/plain', '/claims']) {
        const plain = await ask(withResource, route, sent)
        t.assert.equal(plain.headers['www-authenticate'], `Bearer realm="api"${why}${metadata}`)
      }
    })
  }

  for (const [title, authorization, status, why] of refusals) {
    test(`with dpop both challenges for ${title} name the metadata and the scopes`, async (t) => {
      const declare = (app: FastifyInstance): unknown =>
        app.get('/ruled', { onRequest: app.authorize(rule) }, async () => 'x')
      const app = await start(t, { isRevoked, dpop: { algorithms: ['ES256'] } }, { after: declare })
      const acr = why.includes('user_authentication') ? ', acr_values="mfa"' : ''
      const refused = await ask(app, '/ruled', await authorization())
      t.assert.equal(refused.statusCode, status)
      t.assert.deepEqual(refused.headers['www-authenticate'], [
        `Bearer realm="api"${why}, ${scope}${acr}, resource_metadata="${href}"`,
        `DPoP realm="api", ${scope}, algs="ES256", resource_metadata="${href}"`,
      ])
    })
  }

  test('the 403 of a rule without scopes names the metadata and no scope', async (t) => {
    const app = await start(t)
    app.get('/', { onRequest: app.authorize({ claims: { sub: 'nobody' } }) }, async () => 'x')
    const { headers } = await ask(app, '/', `Bearer ${await issuer.token()}`)
    t.assert.equal(
      headers['www-authenticate'],
      `Bearer realm="api", error="insufficient_scope", resource_metadata="${href}"`,
    )
  })

  test('the error of a 401 holds the scopes of the rule', async (t) => {
    const app = await start(t)
    app.get('/', { onRequest: app.authorize(rule) }, async () => 'x')
    let scopes: unknown
    app.setErrorHandler(async (error: { scope?: string }) => void (scopes = error.scope))
    await ask(app, '/', undefined)
    t.assert.equal(scopes, 'notes:read notes:write a')
  })

  test('a 503 has no challenge', async (t) => {
    const down = await LocalIssuer.start()
    const token = await down.token()
    await down.close()
    const app = await start(t, { issuer: down.issuer })
    app.get('/', { onRequest: app.authorize(rule) }, async () => 'x')
    const { statusCode, headers } = await ask(app, '/', `Bearer ${token}`)
    t.assert.equal(statusCode, 503)
    t.assert.equal(headers['www-authenticate'], undefined)
  })

  test('a callback that throws has no challenge, with scopes in the rule too', async (t) => {
    const formatUser = (): never => {
      throw new Error('mine')
    }
    const app = await start(t, { formatUser })
    app.get('/', { onRequest: app.authorize(rule) }, async () => 'x')
    const { statusCode, headers } = await ask(app, '/', `Bearer ${await issuer.token()}`)
    t.assert.equal(statusCode, 500)
    t.assert.equal(headers['www-authenticate'], undefined)
  })

  test('a token in the query is not read, and the challenge is that for no token', async (t) => {
    const app = await start(t)
    app.get('/', { onRequest: app.authenticate }, async () => 'x')
    const { statusCode, headers } = await ask(app, `/?access_token=${await issuer.token()}`, undefined)
    t.assert.equal(statusCode, 401)
    t.assert.equal(headers['www-authenticate'], `Bearer realm="api", resource_metadata="${href}"`)
  })

  test('sibling scopes have their own resource, audience, document and challenges', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    for (const name of ['notes', 'mail']) {
      app.register(async (scope) => {
        await scope.register(jwksAuth, {
          ...options,
          audience: name,
          resource: `https://api.example/${name}`,
        })
        scope.get(`/${name}`, { onRequest: scope.authorize({ scope: `${name}:read` }) }, async () => name)
      })
    }
    const metadataOf = (name: string): string => `/.well-known/oauth-protected-resource/${name}`
    for (const [name, other] of [
      ['notes', 'mail'],
      ['mail', 'notes'],
    ] as const) {
      const found = await app.inject(metadataOf(name))
      t.assert.equal(found.json<typeof document>().resource, `https://api.example/${name}`)
      const token = await issuer.token({ claims: { aud: name, scope: `${name}:read` } })
      t.assert.equal((await ask(app, `/${name}`, `Bearer ${token}`)).body, name)
      const refused = await ask(app, `/${other}`, `Bearer ${token}`)
      t.assert.equal(
        refused.headers['www-authenticate'],
        `Bearer realm="api", error="invalid_token", scope="${other}:read", resource_metadata="https://api.example${metadataOf(other)}"`,
      )
    }
  })
})
