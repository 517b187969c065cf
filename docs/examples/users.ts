import type { JwksAuthOptions } from 'fastify-jwks-auth'

// #region types
declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    claims: { permissions?: string[] } // your own claims, in addition to the registered ones
    user: { id: string; mayWrite: boolean } // the result of formatUser
  }
}
// #endregion

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
