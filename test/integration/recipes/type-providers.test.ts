import { test } from 'node:test'
import { build as withJsonSchemaToTs } from '../../../docs/examples/json-schema-to-ts.ts'
import { build as withTypeBox } from '../../../docs/examples/typebox.ts'
import { call } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

for (const [name, build] of Object.entries({
  TypeBox: withTypeBox,
  'json-schema-to-ts': withJsonSchemaToTs,
})) {
  test(`a route with ${name} has the user and its query`, async (t) => {
    const { issuer, app } = await setUp(t, build)
    const token = await issuer.token({ claims: { scope: 'read:orders' } })
    const { statusCode, body } = await call(app, token, '/orders?page=2')
    t.assert.deepEqual([statusCode, body], [200, '{"of":"someone","page":3}'])
    // The token is asked for before the query is validated.
    t.assert.equal((await app.inject('/orders?page=x')).statusCode, 401)
    t.assert.equal((await call(app, token, '/orders?page=x')).statusCode, 400)
  })
}
