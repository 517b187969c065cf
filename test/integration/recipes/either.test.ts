import { suite, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { build } from '../../../docs/examples/either.ts'
import type { IssuerOptions } from '../../../lib/index.ts'
import { call } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

const buildApp = (issuer: IssuerOptions): Promise<FastifyInstance> =>
  build(issuer, async (name, password) => name === 'partner' && password === 'right')
const basic = (password: string): { url: string; headers: Record<string, string> } => ({
  url: '/report',
  headers: { authorization: `Basic ${btoa(`partner:${password}`)}` },
})
const both = ['Basic realm="partners", charset="UTF-8"', 'Bearer realm="api"']

suite('a token or a password', () => {
  test('either lets a request in, and leaves no challenge', async (t) => {
    const { issuer, app } = await setUp(t, buildApp)
    const byToken = await call(app, await issuer.token(), '/report')
    t.assert.equal(byToken.body, 'someone')
    t.assert.equal(byToken.headers['www-authenticate'], undefined)
    const byPassword = await app.inject(basic('right'))
    t.assert.equal(byPassword.body, 'a partner')
    t.assert.equal(byPassword.headers['www-authenticate'], undefined)
  })

  test('a refusal has the challenges of both', async (t) => {
    const { app } = await setUp(t, buildApp)
    for (const request of ['/report', basic('wrong')]) {
      const response = await app.inject(request)
      t.assert.equal(response.statusCode, 401)
      t.assert.deepEqual(response.headers['www-authenticate'], both)
    }
    const forged = await call(app, 'forged', '/report')
    t.assert.deepEqual(forged.headers['www-authenticate'], [both[0], `${both[1]}, error="invalid_token"`])
  })
})
