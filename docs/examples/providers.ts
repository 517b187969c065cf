import type { ResolveIssuer, IssuerOptions } from 'fastify-jwks-auth'

// #region auth0
export const auth0: IssuerOptions = {
  domain: 'tenant.eu.auth0.com',
  audience: 'https://api.example.com',
}
// #endregion

// #region keycloak
export const keycloak: IssuerOptions = {
  issuer: 'https://login.example.com/realms/acme',
  audience: 'orders',
  claims: { typ: 'Bearer' },
}
// #endregion

// #region entra
export const entra: IssuerOptions = {
  issuer: 'https://login.microsoftonline.com/8a3b1c2d-0000-4000-8000-5e6f7a8b9c0d/v2.0',
  audience: '11111111-2222-4333-8444-555555555555',
  requiredClaims: ['azp'],
}
// #endregion

// #region entra-tenants
const ofTenant = (tenant: string): IssuerOptions => ({
  issuer: `https://login.microsoftonline.com/${tenant}/v2.0`,
  audience: '11111111-2222-4333-8444-555555555555',
  requiredClaims: ['azp'],
})

/** The tenants of your customers. Add one when a customer signs up, remove it when they leave. */
const customers = ['8a3b1c2d-0000-4000-8000-5e6f7a8b9c0d', 'c4d5e6f7-0000-4000-8000-1a2b3c4d5e6f']
const byIssuer = new Map(customers.map((tenant) => [ofTenant(tenant).issuer, ofTenant(tenant)]))

export const entraTenants: ResolveIssuer = (iss) => byIssuer.get(iss)
// #endregion

// #region entra-versions
const tenant = '8a3b1c2d-0000-4000-8000-5e6f7a8b9c0d'
const api = '11111111-2222-4333-8444-555555555555'

export const entraVersions: IssuerOptions[] = [
  {
    issuer: `https://login.microsoftonline.com/${tenant}/v2.0`,
    audience: api,
    requiredClaims: ['azp'],
  },
  {
    issuer: `https://sts.windows.net/${tenant}/`,
    audience: [`api://${api}`, api],
    requiredClaims: ['appid'],
  },
]
// #endregion

// #region cognito
export const cognito: IssuerOptions = {
  issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI',
  audience: false,
  claims: { token_use: 'access', client_id: ['2h5example', '7k1example'] },
}
// #endregion

// #region okta
export const okta: IssuerOptions = {
  issuer: 'https://acme.okta.com/oauth2/default',
  audience: 'api://default',
}
// #endregion

// #region google
export const google: IssuerOptions = {
  issuer: 'https://accounts.google.com',
  audience: '1234567890-web.apps.googleusercontent.com',
  claims: { hd: 'example.com' },
}
// #endregion

// #region github
export const github: IssuerOptions = {
  issuer: 'https://token.actions.githubusercontent.com',
  audience: 'https://deploy.example.com',
  claims: { repository_id: '424242', ref: 'refs/heads/main' },
}
// #endregion
