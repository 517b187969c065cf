import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import jwksAuth, { type IssuerOptions } from 'fastify-jwks-auth'

export default fp(async (app: FastifyInstance, { issuer }: { issuer: IssuerOptions }) => {
  await app.register(jwksAuth, issuer)
})
