import Fastify from 'fastify'
import jwksAuth, {
  authenticate,
  authenticateOptional,
  authorize,
  JwksAuthError,
  type JwksAuthOptions,
} from 'fastify-jwks-auth'
import { fileStore, type FileStore } from 'fastify-jwks-auth/file'
import { redisStore, type RedisStore } from 'fastify-jwks-auth/redis'
import { createTestIssuer, createTestKey, type TestIssuer } from 'fastify-jwks-auth/testing'

declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    claims: { permissions: string[] }
  }
}

const options: JwksAuthOptions = {
  domain: 'tenant.eu.auth0.com',
  audience: ['https://api.example.com'],
  jwks: { timeout: 1000 },
  global: true,
  scopeClaims: ['scope'],
  impliedScopes: { admin: ['read', 'write'] },
}

const app = Fastify()
await app.register(jwksAuth, options)
app.get('/secured/ping', { preHandler: app.authenticate }, async (request) => {
  const subject: string | undefined = request.user.sub
  const permissions: string[] = request.user.permissions
  return [subject, permissions, request.accessToken?.raw]
})
app.get('/optional', { onRequest: authenticateOptional }, async (request) => request.user.sub)
app.get('/reports', { onRequest: [authenticate, authorize({ scope: 'read:reports' })] }, async () => [])
app.get(
  '/config',
  { config: { jwksAuth: { check: ({ sub }, request) => request.url === sub } } },
  async () => [],
)
app.get('/public', { config: { jwksAuth: false } }, async () => 'pong')
app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof JwksAuthError)) throw error
  return reply.status(error.statusCode).send({ code: error.code, description: error.message })
})

const key = createTestKey({ algorithm: 'RS256', kid: 'one' })
await using issuer: TestIssuer = await createTestIssuer({ key, audience: ['one', 'two'] })
await app.register(jwksAuth, issuer.options)
await app.register(jwksAuth, { ...issuer.options, jwks: { cooldown: 0 } })
const token: string = issuer.token(
  { scope: 'read:ping', sub: undefined },
  { expiresIn: -1, header: { kid: undefined } },
)
const kid: string = issuer.rotate({ keepOld: false }).jwk.kid
await app.inject({ url: '/', headers: { authorization: `Bearer ${token}${kid}` } })

const store: RedisStore = redisStore(
  { sendCommand: async (args: string[]) => args.length },
  { prefix: 'api:' },
)
const isNew: boolean = await store.add('id', 1000)
const value: string | undefined = await store.get('key')
await store.set('key', `${isNew}${value}`, 1000)
const files: FileStore = fileStore('/var/cache/api')
await files.set('key', (await files.get('key')) ?? '', 1000)
