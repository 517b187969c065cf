import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate } from 'fastify-jwks-auth'

/** The tenants that have signed up: a table with an index on the issuer. */
export interface Tenants {
  findByIssuer(issuer: string): Promise<{ id: string; issuer: string } | undefined>
}

export async function build(tenants: Tenants, audience: string): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, {
    issuers: async (iss) => {
      const tenant = await tenants.findByIssuer(iss)
      return tenant && { issuer: tenant.issuer, audience }
    },
  })
  app.get('/me', { onRequest: authenticate }, async ({ user }) => {
    // A sub identifies a user only within its issuer.
    const tenant = await tenants.findByIssuer(user.iss)
    return { tenant: tenant?.id, user: user.sub }
  })
  // #endregion
  return app
}
