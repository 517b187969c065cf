import swagger from '@fastify/swagger'
import { suite, test } from 'node:test'
import Fastify, { type FastifyInstance, type RouteShorthandOptions } from 'fastify'
import jwksAuth, {
  authenticate,
  authenticateOptional,
  authorize,
  type JwksAuthOptions,
} from '../../lib/index.ts'
import { OpenApi } from '../../lib/authorization/openapi.ts'

/** The security that openApiSecurity adds to a document, which @fastify/swagger makes in most of these tests. */

interface Document {
  components: { securitySchemes: object }
  paths: Record<string, { get: { summary?: string; security?: object; responses: object } }>
}

const issuer = 'https://login.example.com/realms/acme'
const audience = 'api'
const secret = 'a shared secret of at least 32 bytes'

async function documentOf(
  options: JwksAuthOptions,
  declare: (app: FastifyInstance) => void = () => {},
  openapi = '3.0.3',
): Promise<Document> {
  const app = Fastify()
  await app.register(jwksAuth, options)
  const { components, transform } = app.openApiSecurity()
  await app.register(swagger, { openapi: { openapi, components }, transform })
  declare(app)
  await app.ready()
  return JSON.parse(JSON.stringify(app.swagger())) as Document
}

const discovered = (url: string): object => ({ type: 'openIdConnect', openIdConnectUrl: url })
const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }
const wellKnown = '.well-known/openid-configuration'

suite('the security schemes', () => {
  const rows: [title: string, options: JwksAuthOptions, schemes: object][] = [
    ['an issuer with discovery', { issuer, audience }, { openId: discovered(`${issuer}/${wellKnown}`) }],
    [
      'an issuer that ends with a slash',
      { issuer: `${issuer}/`, audience },
      { openId: discovered(`${issuer}/${wellKnown}`) },
    ],
    [
      'an Auth0 domain',
      { domain: 'tenant.eu.auth0.com', audience },
      { openId: discovered(`https://tenant.eu.auth0.com/${wellKnown}`) },
    ],
    ['a jwksUri', { issuer, audience, jwksUri: 'https://keys.example.com/' }, { bearer }],
    [
      'an issuer that is no URL',
      { issuer: 'acme', audience, jwksUri: 'https://keys.example.com/' },
      { bearer },
    ],
    ['a shared secret', { domain: 'tenant.eu.auth0.com', audience, secret }, { bearer }],
    [
      'several issuers, with one scheme for all issuers without discovery',
      {
        issuers: [
          { issuer: 'a', audience, secret },
          { issuer, audience },
          { issuer: 'b', audience, secret },
          { domain: 'tenant.eu.auth0.com', audience },
        ],
      },
      {
        openId: discovered(`${issuer}/${wellKnown}`),
        openId2: discovered(`https://tenant.eu.auth0.com/${wellKnown}`),
        bearer,
      },
    ],
  ]
  for (const [title, options, schemes] of rows) {
    test(`the document has the security schemes of ${title}`, async (t) => {
      t.assert.deepEqual((await documentOf(options)).components.securitySchemes, schemes)
    })
  }

  const dpop = { type: 'http', scheme: 'dpop' }
  const baseUrl = 'https://api.example.com'
  for (const [mode, schemes, security] of [
    ['allowed', { bearer, dpop }, [{ bearer: [] }, { dpop: [] }]],
    ['required', { dpop }, [{ dpop: [] }]],
  ] as const) {
    test(`the document has the DPoP scheme if dpop is ${mode}`, async (t) => {
      const { components, paths } = await documentOf(
        { issuer, audience, secret, dpop: { mode, baseUrl } },
        (app) => app.get('/', { onRequest: app.authenticate }, async () => 'a'),
      )
      t.assert.deepEqual(components.securitySchemes, schemes)
      t.assert.deepEqual(paths['/']!.get.security, security)
    })
  }

  test('the document has no DPoP scheme if proofs are not checked', async (t) => {
    const { components } = await documentOf({ issuer, audience, secret, dpop: 'unchecked' })
    t.assert.deepEqual(components.securitySchemes, { bearer })
  })

  test('the document has the bearer scheme if issuers is a function', (t) => {
    const { components } = new OpenApi(() => undefined, false, undefined).security()
    t.assert.deepEqual(components.securitySchemes, { bearer })
  })
})

suite('the security of a route', () => {
  type Declared = (app: FastifyInstance) => RouteShorthandOptions
  const rows: [title: string, declare: Declared, security: object | undefined][] = [
    ['without a hook', () => ({}), undefined],
    ['with a hook that is not of the plugin', () => ({ onRequest: async () => {} }), undefined],
    ['with authenticate', (app) => ({ onRequest: app.authenticate }), [{ openId: [] }]],
    ['with authenticateOptional', (app) => ({ onRequest: app.authenticateOptional }), [{}, { openId: [] }]],
    [
      'with scope, as one string',
      (app) => ({ onRequest: app.authorize({ scope: 'a b' }) }),
      [{ openId: ['a', 'b'] }],
    ],
    [
      'with anyScope, in alternatives',
      (app) => ({ onRequest: app.authorize({ scope: 'a', anyScope: ['b', 'c'] }) }),
      [{ openId: ['a', 'b'] }, { openId: ['a', 'c'] }],
    ],
    [
      'with a rule on claims',
      (app) => ({ onRequest: app.authorize({ claims: { a: 1 } }) }),
      [{ openId: [] }],
    ],
    ['with the exported authenticate', () => ({ onRequest: authenticate }), [{ openId: [] }]],
    [
      'with the exported authenticateOptional',
      () => ({ onRequest: authenticateOptional }),
      [{}, { openId: [] }],
    ],
    ['with the exported authorize', () => ({ onRequest: authorize({ scope: 'a' }) }), [{ openId: ['a'] }]],
    ['with a rule in its config', () => ({ config: { jwksAuth: { scope: 'a' } } }), [{ openId: ['a'] }]],
    ['with optional in its config', () => ({ config: { jwksAuth: 'optional' } }), [{}, { openId: [] }]],
    ['with false in its config', () => ({ config: { jwksAuth: false } }), undefined],
    [
      'with a rule in its config and one of a hook',
      () => ({ config: { jwksAuth: { scope: 'a' } }, onRequest: authorize({ scope: 'b' }) }),
      [{ openId: ['b', 'a'] }],
    ],
    [
      'with several rules, in all their combinations',
      (app) => ({
        onRequest: app.authorize({ scope: 'a' }),
        preHandler: [app.authorize({ anyScope: 'a b' }), app.authorize({ anyScope: 'c d' })],
      }),
      [
        { openId: ['a', 'c'] },
        { openId: ['a', 'd'] },
        { openId: ['a', 'b', 'c'] },
        { openId: ['a', 'b', 'd'] },
      ],
    ],
    [
      'with a rule after authenticateOptional',
      (app) => ({ onRequest: app.authenticateOptional, preHandler: app.authorize({ scope: 'a' }) }),
      [{ openId: ['a'] }],
    ],
    [
      'with security in its schema',
      (app) => ({ onRequest: app.authenticate, schema: { security: [{ openId: ['mine'] }] } }),
      [{ openId: ['mine'] }],
    ],
    ...(['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const).flatMap(
      (stage): [string, Declared, object][] => [
        [`with a hook of the stage ${stage}`, (app) => ({ [stage]: app.authenticate }), [{ openId: [] }]],
        [
          `with a list of hooks of the stage ${stage}`,
          (app) => ({ [stage]: [async () => {}, app.authenticate] }),
          [{ openId: [] }],
        ],
      ],
    ),
  ]
  for (const [title, declare, security] of rows) {
    test(`the document has the security of a route ${title}`, async (t) => {
      const { paths } = await documentOf({ issuer, audience }, (app) => {
        app.get('/', declare(app), async () => 'x')
      })
      t.assert.deepEqual(paths['/']!.get.security, security)
    })
  }

  const globalRows: [title: string, route: RouteShorthandOptions, security: object | undefined][] = [
    ['that says nothing', {}, [{ openId: [] }]],
    ['with a config about something else', { config: {} }, [{ openId: [] }]],
    ['with false in its config', { config: { jwksAuth: false } }, undefined],
    ['with optional in its config', { config: { jwksAuth: 'optional' } }, [{}, { openId: [] }]],
    ['with a rule in its config', { config: { jwksAuth: { scope: 'a' } } }, [{ openId: ['a'] }]],
    ['with authorize', { onRequest: authorize({ scope: 'a' }) }, [{ openId: ['a'] }]],
    ['with authenticateOptional', { onRequest: authenticateOptional }, [{ openId: [] }]],
  ]
  for (const [title, route, security] of globalRows) {
    test(`with global the document has the security of a route ${title}`, async (t) => {
      const { paths } = await documentOf({ issuer, audience, global: true }, (app) => {
        app.get('/', route, async () => 'x')
      })
      t.assert.deepEqual(paths['/']!.get.security, security)
    })
  }

  for (const version of ['3.0.3', '3.1.0']) {
    test(`a route accepts any of the schemes, and bearer has no scopes, in OpenAPI ${version}`, async (t) => {
      const issuers = [
        { issuer, audience },
        { issuer: 'shared', audience, secret },
      ] as const
      const { paths } = await documentOf(
        { issuers },
        (app) => {
          app.get('/', { onRequest: app.authorize({ anyScope: ['a', 'b'] }) }, async () => 'x')
          app.get('/optional', { onRequest: app.authenticateOptional }, async () => 'x')
        },
        version,
      )
      t.assert.deepEqual(paths['/']!.get.security, [{ openId: ['a'] }, { openId: ['b'] }, { bearer: [] }])
      t.assert.deepEqual(paths['/optional']!.get.security, [{}, { openId: [] }, { bearer: [] }])
    })
  }

  test('the schema and the responses of a route are otherwise unchanged', async (t) => {
    const schema = { summary: 'A', response: { 200: { description: 'fine', type: 'string' } } }
    const { paths } = await documentOf({ issuer, audience }, (app) => {
      app.get('/', { schema, onRequest: app.authenticate }, async () => 'x')
      app.get('/public', { schema }, async () => 'x')
    })
    const { security, ...secured } = paths['/']!.get
    t.assert.deepEqual(security, [{ openId: [] }])
    t.assert.deepEqual(secured, paths['/public']!.get)
    t.assert.equal(Object.hasOwn(schema, 'security'), false)
  })
})

test('an application can run its own transform before that of the plugin', async (t) => {
  const app = Fastify()
  await app.register(jwksAuth, { issuer, audience })
  const { components, transform } = app.openApiSecurity()
  await app.register(swagger, {
    openapi: { components },
    transform: (route) =>
      transform({ ...route, schema: { ...route.schema, summary: 'A' }, url: `/v1${route.url}` }),
  })
  app.get('/', { onRequest: app.authenticate }, async () => 'x')
  await app.ready()
  const { paths } = app.swagger() as unknown as Document
  t.assert.equal(paths['/v1/']!.get.summary, 'A')
  t.assert.deepEqual(paths['/v1/']!.get.security, [{ openId: [] }])
})

test('each scope with its own issuer can have its own document', async (t) => {
  const app = Fastify()
  const documents: (() => unknown)[] = []
  for (const [path, ownIssuer] of [
    ['/a', 'https://a.example'],
    ['/b', 'https://b.example'],
  ] as const) {
    app.register(async (scope) => {
      await scope.register(jwksAuth, { issuer: ownIssuer, audience })
      const { components, transform } = scope.openApiSecurity()
      await scope.register(swagger, { openapi: { components }, transform })
      scope.get(path, { onRequest: scope.authenticate }, async () => 'x')
      documents.push(() => scope.swagger())
    })
  }
  await app.ready()
  const [first, second] = documents.map((make) => make() as Document)
  t.assert.deepEqual(Object.keys(first!.paths), ['/a'])
  t.assert.deepEqual(first!.components.securitySchemes, {
    openId: discovered(`https://a.example/${wellKnown}`),
  })
  t.assert.deepEqual(second!.components.securitySchemes, {
    openId: discovered(`https://b.example/${wellKnown}`),
  })
  t.assert.deepEqual(second!.paths['/b']!.get.security, [{ openId: [] }])
})
