import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { call, createApp, verdict } from '../../helpers/app.ts'
import { Reroute } from '../../helpers/dispatcher.ts'
import { createKeyPair, now, sendJson, sign, LocalIssuer } from '../../helpers/issuer.ts'
import { shapes, type Shape } from './shapes.ts'

const key = await createKeyPair('RS256')

/** A server on loopback that answers for the provider, and an application with the documented options. */
async function setUp(t: TestContext, shape: Shape): Promise<{ app: FastifyInstance; urls: string[] }> {
  const { options, urls, publish = (jwk) => jwk, others = () => [] } = shape
  const server = await LocalIssuer.start({ key })
  const jwksUri = urls.at(-1)!
  const discovery = urls.length > 1 ? new URL(urls[0]!).pathname : undefined
  if (discovery !== undefined) {
    server.on(discovery, { issuer: shape.claims.iss, jwks_uri: jwksUri })
  }
  server.on(new URL(jwksUri).pathname, sendJson({ keys: [publish(key.jwk), ...others(key.jwk)] }))
  const dispatcher = new Reroute(server.origin)
  const app = await createApp({ ...options, jwks: { dispatcher } })
  t.after(async () => {
    await app.close()
    await server.close()
  })
  return { app, urls: dispatcher.urls }
}

const token = (shape: Shape, claims: Record<string, unknown> = {}): Promise<string> =>
  sign(key, { iat: now(), exp: now() + 600, ...shape.claims, ...claims }, shape.header)

for (const [name, shape] of Object.entries(shapes)) {
  suite(name, () => {
    test('a right token is accepted, with keys from where the provider has them', async (t) => {
      const { app, urls } = await setUp(t, shape)
      const accepted = await call(app, await token(shape))
      t.assert.equal(accepted.json<{ user: { sub: string } }>().user.sub, shape.claims.sub)
      t.assert.deepEqual(urls, shape.urls)
    })

    for (const [title, [code, claims]] of Object.entries(shape.wrong)) {
      test(`${title} is refused`, async (t) => {
        const { app } = await setUp(t, shape)
        t.assert.equal(verdict(await call(app, await token(shape, claims))).code, code)
      })
    }
  })
}

test('an opaque access token, as Google’s are, is refused', async (t) => {
  const { app, urls } = await setUp(t, shapes['Google, ID tokens']!)
  t.assert.equal(verdict(await call(app, 'ya29.a0AfExample')).code, 'invalid_header')
  t.assert.deepEqual(urls, [])
})
