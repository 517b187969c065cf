// #region options
import type { JwksAuthOptions } from 'fastify-jwks-auth'

declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    claims: { permissions?: string[] } // claims of your tokens that are not registered ones
    user: { id: string; mayWrite: boolean } // what formatUser returns
  }
}

export const options: JwksAuthOptions = {
  issuers: [
    { domain: 'tenant.eu.auth0.com', audience: 'https://api.example.com' },
    { issuer: 'https://login.example.com/realms/acme', audience: 'https://api.example.com' },
  ],
  formatUser: ({ iss, sub, permissions = [] }) => ({
    id: `${iss} ${sub}`,
    mayWrite: permissions.includes('write'),
  }),
}
// #endregion
