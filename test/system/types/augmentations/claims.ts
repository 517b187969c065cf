import { expectTypeOf } from 'expect-type'
import type { FastifyRequest } from 'fastify'
import type { AccessTokenClaims, JwksAuthOptions } from 'fastify-jwks-auth'

declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    claims: { tenant: string }
  }
}

declare const request: FastifyRequest
declare const options: JwksAuthOptions
type Parameter<Name extends 'formatUser' | 'isRevoked'> = Parameters<NonNullable<JwksAuthOptions[Name]>>[0]

expectTypeOf(request.user).toExtend<AccessTokenClaims>()
expectTypeOf(request.user).toEqualTypeOf(request.accessToken!.claims)
expectTypeOf(request.user.tenant).toEqualTypeOf<string>()
expectTypeOf(request.user.sub).toEqualTypeOf<string | undefined>()
expectTypeOf(request.accessToken!.claims.tenant).toEqualTypeOf<string>()
expectTypeOf<Parameter<'formatUser'>['tenant']>().toEqualTypeOf<string>()
expectTypeOf<Parameter<'isRevoked'>['tenant']>().toEqualTypeOf<string>()
// @ts-expect-error - the tenant is missing
options.formatUser = () => ({ iss: 'https://issuer.example', exp: 0 })
