import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import jwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import jwksAuth, { authenticate } from '../../lib/index.ts'

/** Mistakes of which Fastify itself tells the developer, and where docs/troubleshooting.md explains its words. */

const options = { issuer: 'https://login.example.com/', audience: 'api' }
const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8')

suite('the errors of Fastify in docs/troubleshooting.md', () => {
  const rows: [title: string, cause: (app: FastifyInstance) => void, words: string][] = [
    [
      'a list with an undefined hook',
      (app) => {
        app.register(jwksAuth, options)
        app.get('/', { onRequest: [app.authenticate] }, async () => 'open')
      },
      'hook should be a function, instead got [object Undefined]',
    ],
    [
      'an undefined hook of a scope',
      (app) => {
        app.register(jwksAuth, options)
        app.addHook('onRequest', app.authenticate)
      },
      'hook should be a function, instead got undefined',
    ],
    [
      'another plugin with request.user after this one',
      (app) => {
        app.register(jwksAuth, options)
        app.register(fp(async (scope) => void scope.decorateRequest('user', null as never)))
      },
      "The decorator 'user' has already been added!",
    ],
    [
      '@fastify/jwt before this plugin',
      (app) => {
        app.register(jwt, { secret: 'secret' })
        app.register(jwksAuth, options)
      },
      'the decorator "user" exists already',
    ],
  ]
  for (const [title, cause, words] of rows) {
    test(`docs/troubleshooting.md has the words of the error that ${title} causes`, async (t) => {
      const app = Fastify()
      const start = async (): Promise<void> => {
        cause(app)
        await app.ready()
      }
      const error = await start().catch((reason: Error) => reason)
      t.assert.equal(error?.message.includes(words), true, error?.message)
      t.assert.equal(page.includes(words), true)
    })
  }
})

test('with decoratorName this plugin and @fastify/jwt work in one instance, in each order', async (t) => {
  for (const isFirst of [true, false]) {
    const app = Fastify()
    if (isFirst) await app.register(jwt, { secret: 'secret' })
    await app.register(jwksAuth, { ...options, decoratorName: 'auth' })
    if (!isFirst) await app.register(jwt, { secret: 'secret' })
    app.get('/jwt', { onRequest: async (request) => request.jwtVerify() }, async ({ user }) => user)
    app.get('/auth', { onRequest: authenticate }, async () => 'in')
    const headers = { authorization: `Bearer ${app.jwt.sign({ cart: 'a' })}` }
    const { cart } = (await app.inject({ url: '/jwt', headers })).json<{ cart: string }>()
    t.assert.equal(cart, 'a')
    t.assert.equal((await app.inject({ url: '/auth', headers })).statusCode, 401)
  }
})
