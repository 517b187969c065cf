import { expectTypeOf } from 'expect-type'
import type { FastifyRequest } from 'fastify'
import type { JwksAuthOptions } from 'fastify-jwks-auth'

declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    claims: { tenant: string }
    user: { id: string } | null
  }
}

declare const request: FastifyRequest
declare const options: JwksAuthOptions

expectTypeOf(request.user).toEqualTypeOf<{ id: string } | null>()
expectTypeOf(request.accessToken!.claims.tenant).toEqualTypeOf<string>()
options.formatUser = ({ tenant, sub }) => (sub === undefined ? null : { id: tenant + sub })
options.formatUser = async () => ({ id: 'someone' })
// @ts-expect-error - the claims are not such a user
options.formatUser = (claims) => claims
// @ts-expect-error - the user has no claims
void request.user?.sub
