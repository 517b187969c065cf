import { suite, test, type TestContext } from 'node:test'
import { compileProgram } from './program.ts'

const imports = `
  import { expectTypeOf } from 'expect-type'
  import type { FastifyRequest } from 'fastify'
  import type { AccessTokenClaims, JwksAuthOptions } from 'fastify-jwks-auth'

  declare const request: FastifyRequest
  declare const options: JwksAuthOptions
  type Parameter<Name extends 'formatUser' | 'isRevoked'> = Parameters<NonNullable<JwksAuthOptions[Name]>>[0]
`

const programs: [title: string, source: string][] = [
  [
    'claims of the application are those of the user, the access token and the callbacks',
    `
      declare module 'fastify-jwks-auth' {
        interface JwksAuthTypes {
          claims: { tenant: string }
        }
      }
      expectTypeOf(request.user).toEqualTypeOf<AccessTokenClaims & { tenant: string }>()
      expectTypeOf(request.user.tenant).toEqualTypeOf<string>()
      expectTypeOf(request.user.sub).toEqualTypeOf<string | undefined>()
      expectTypeOf(request.accessToken!.claims.tenant).toEqualTypeOf<string>()
      expectTypeOf<Parameter<'formatUser'>['tenant']>().toEqualTypeOf<string>()
      expectTypeOf<Parameter<'isRevoked'>['tenant']>().toEqualTypeOf<string>()
      // @ts-expect-error - the tenant is missing
      options.formatUser = () => ({ iss: 'https://issuer.example', exp: 0 })
    `,
  ],
  [
    'a user of the application is what formatUser makes, beside the claims',
    `
      declare module 'fastify-jwks-auth' {
        interface JwksAuthTypes {
          claims: { tenant: string }
          user: { id: string } | null
        }
      }
      expectTypeOf(request.user).toEqualTypeOf<{ id: string } | null>()
      expectTypeOf(request.accessToken!.claims.tenant).toEqualTypeOf<string>()
      options.formatUser = ({ tenant, sub }) => (sub === undefined ? null : { id: tenant + sub })
      options.formatUser = async () => ({ id: 'someone' })
      // @ts-expect-error - not such a user
      options.formatUser = (claims) => claims
      // @ts-expect-error - the claims are elsewhere
      void request.user?.sub
    `,
  ],
]

suite('the types of an application', () => {
  for (const [title, source] of programs) {
    test(title, (t: TestContext) => t.assert.equal(compileProgram(imports + source), ''))
  }
})
