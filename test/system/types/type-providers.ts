import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { expectTypeOf } from 'expect-type'
import Fastify, { type FastifyTypeProviderDefault } from 'fastify'
import jwksAuth, { type AuthenticateHook, type JwksAuthUser } from '../../../lib/index.ts'

/** Is only compiled: the hooks fit routes of every type provider, and the user is typed next to the validated input. */

const plain = Fastify()
const withTypeBox = plain.withTypeProvider<TypeBoxTypeProvider>()
const withJsonSchema = plain.withTypeProvider<JsonSchemaToTsProvider>()
await withTypeBox.register(jwksAuth, { issuer: 'https://issuer.example', audience: 'api' })
await withJsonSchema.register(jwksAuth, { issuer: 'https://issuer.example', audience: 'api' })

expectTypeOf(withTypeBox.authenticate).toEqualTypeOf<AuthenticateHook>()
expectTypeOf(withJsonSchema.authenticate).toEqualTypeOf<AuthenticateHook>()

const typeBoxSchema = {
  body: Type.Object({ name: Type.String() }),
  params: Type.Object({ id: Type.Integer() }),
}
const jsonSchema = {
  body: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  params: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] },
} as const
const { authenticate, authenticateOptional, authorize } = plain
const scoped = authorize({ scope: 'write' })

for (const hook of [authenticate, authenticateOptional, scoped]) {
  const hooks = { onRequest: hook, preParsing: [hook], preValidation: hook, preHandler: [hook] }
  withTypeBox.put('/:id', { ...hooks, schema: typeBoxSchema }, async (request, reply) => {
    await authenticate(request, reply)
    expectTypeOf(request.user).toEqualTypeOf<JwksAuthUser>()
    expectTypeOf(request.body.name).toEqualTypeOf<string>()
    expectTypeOf(request.params.id).toEqualTypeOf<number>()
  })
  withJsonSchema.put('/:id', { ...hooks, schema: jsonSchema }, async (request, reply) => {
    await authenticate(request, reply)
    expectTypeOf(request.user).toEqualTypeOf<JwksAuthUser>()
    expectTypeOf(request.body.name).toEqualTypeOf<string>()
    expectTypeOf(request.params.id).toEqualTypeOf<number>()
  })
}

// Also as hooks of the whole instance, and in a plugin with another type provider.
withTypeBox.addHook('onRequest', withTypeBox.authenticate)
withJsonSchema.addHook('preHandler', withJsonSchema.authorize({ scope: 'write' }))
plain.register(async (scope) => {
  expectTypeOf(
    scope.withTypeProvider<FastifyTypeProviderDefault>().authenticate,
  ).toEqualTypeOf<AuthenticateHook>()
  scope.withTypeProvider<TypeBoxTypeProvider>().addHook('onRequest', scope.authenticate)
})
