import * as examples from '../../../docs/examples/providers.ts'
import type { ResolveIssuer, IssuerOptions } from '../../../lib/index.ts'
import type { PublishedKey } from '../../helpers/jwk.ts'

/** What a provider publishes and what its tokens contain. */
export interface Shape {
  options: IssuerOptions | { issuers: ResolveIssuer }
  /** The URLs that are fetched, in this order. The last one is the JWK Set. */
  urls: string[]
  /** Returns a key as the provider publishes it. */
  publish?: (key: PublishedKey) => PublishedKey
  /** Further keys of its set. */
  others?: (key: PublishedKey) => PublishedKey[]
  header?: object
  /** The claims of a right token. */
  claims: Record<string, unknown>
  /** Typical wrong tokens: their different claims and the code of the refusal. */
  wrong: Record<string, [code: string, claims: Record<string, unknown>]>
}

const jwt = { typ: 'JWT' }
const certified = (key: PublishedKey): PublishedKey => ({ ...key, x5t: 'dGh1bWJwcmludA', x5c: ['MIIC'] })
const { auth0, keycloak, entra, entraTenants, cognito, okta, google, github } = examples
const cognitoPool = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI'
const entraTenant = '8a3b1c2d-0000-4000-8000-5e6f7a8b9c0d'
const otherTenant = '9d9d9d9d-0000-4000-8000-5e6f7a8b9c0d'
const secondTenant = 'c4d5e6f7-0000-4000-8000-1a2b3c4d5e6f'
const entraApi = '11111111-2222-4333-8444-555555555555'
const googleClient = '1234567890-web.apps.googleusercontent.com'

export const shapes: Record<string, Shape> = {
  Auth0: {
    options: auth0,
    urls: ['https://tenant.eu.auth0.com/.well-known/jwks.json'],
    publish: certified,
    header: jwt,
    claims: {
      iss: 'https://tenant.eu.auth0.com/',
      sub: 'auth0|650a1b2c3d4e5f',
      aud: ['https://api.example.com', 'https://tenant.eu.auth0.com/userinfo'],
      azp: 'q1w2e3r4',
      scope: 'openid profile read:orders',
      permissions: ['read:orders'],
    },
    wrong: {
      'a token for another API': ['invalid_audience', { aud: 'https://other.example.com' }],
      'an ID token': ['invalid_audience', { aud: 'q1w2e3r4', azp: undefined, nonce: 'n', sid: 's' }],
      'a token of another tenant': ['invalid_claims', { iss: 'https://other.eu.auth0.com/' }],
      'a token whose issuer has no slash': ['invalid_claims', { iss: 'https://tenant.eu.auth0.com' }],
    },
  },
  Keycloak: {
    options: keycloak,
    urls: [
      'https://login.example.com/realms/acme/.well-known/openid-configuration',
      'https://login.example.com/realms/acme/protocol/openid-connect/certs',
    ],
    publish: certified,
    others: (key) => [{ ...certified(key), kid: 'encryption', use: 'enc', alg: 'RSA-OAEP' }],
    header: jwt,
    claims: {
      iss: 'https://login.example.com/realms/acme',
      jti: 'onrtro:7b6f0f4e-0000-4000-8000-000000000000',
      aud: ['orders', 'account'],
      sub: 'f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e',
      typ: 'Bearer',
      azp: 'web',
      acr: '1',
      'allowed-origins': ['https://shop.example.com'],
      realm_access: { roles: ['default-roles-acme'] },
      resource_access: { orders: { roles: ['reader'] } },
      scope: 'openid email profile',
    },
    wrong: {
      'a token for another API': ['invalid_audience', { aud: 'account' }],
      'an ID token': ['invalid_audience', { aud: 'web', typ: 'ID' }],
      'an ID token of the client that is the API': ['invalid_claims', { aud: 'orders', typ: 'ID' }],
      'a token of another realm': ['invalid_claims', { iss: 'https://login.example.com/realms/other' }],
    },
  },
  'Entra, one tenant': {
    options: entra,
    urls: [
      `https://login.microsoftonline.com/${entraTenant}/v2.0/.well-known/openid-configuration`,
      `https://login.microsoftonline.com/${entraTenant}/discovery/v2.0/keys`,
    ],
    // Entra publishes keys without alg, and the same keys for all tenants.
    publish: ({ alg: _alg, ...key }) => ({ ...certified(key), issuer: entra.issuer }),
    header: jwt,
    claims: {
      iss: `https://login.microsoftonline.com/${entraTenant}/v2.0`,
      aud: entraApi,
      azp: '99999999-8888-4777-8666-555555555555',
      azpacr: '0',
      oid: 'a1b2c3d4-0000-4000-8000-000000000000',
      scp: 'Orders.Read',
      sub: 'AAAAAbbbbbCCCCC',
      tid: entraTenant,
      uti: 'u-t-i',
      ver: '2.0',
    },
    wrong: {
      'a token of another tenant': [
        'invalid_claims',
        { iss: `https://login.microsoftonline.com/${otherTenant}/v2.0`, tid: otherTenant },
      ],
      'a token in version 1': [
        'invalid_claims',
        { iss: `https://sts.windows.net/${entraTenant}/`, aud: `api://${entraApi}`, ver: '1.0' },
      ],
      'a token for Graph': ['invalid_audience', { aud: '00000003-0000-0000-c000-000000000000' }],
      'an ID token of the client that is the API': [
        'invalid_claims',
        { azp: undefined, azpacr: undefined, scp: undefined, nonce: 'n' },
      ],
    },
  },
  'Entra, many tenants': {
    options: { issuers: entraTenants },
    urls: [
      `https://login.microsoftonline.com/${secondTenant}/v2.0/.well-known/openid-configuration`,
      `https://login.microsoftonline.com/${secondTenant}/discovery/v2.0/keys`,
    ],
    publish: ({ alg: _alg, ...key }) => certified(key),
    header: jwt,
    claims: {
      iss: `https://login.microsoftonline.com/${secondTenant}/v2.0`,
      aud: entraApi,
      azp: '99999999-8888-4777-8666-555555555555',
      azpacr: '0',
      oid: 'a1b2c3d4-0000-4000-8000-000000000000',
      scp: 'Orders.Read',
      sub: 'DDDDDeeeeeFFFFF',
      tid: secondTenant,
      ver: '2.0',
    },
    wrong: {
      'a token of an unknown tenant': [
        'invalid_claims',
        { iss: `https://login.microsoftonline.com/${otherTenant}/v2.0`, tid: otherTenant },
      ],
      'a token of a known tenant in version 1': [
        'invalid_claims',
        { iss: `https://sts.windows.net/${secondTenant}/`, aud: `api://${entraApi}`, ver: '1.0' },
      ],
      'a token of another host with a known tenant in its path': [
        'invalid_claims',
        { iss: `https://login.microsoftonline.com.evil.example/${secondTenant}/v2.0` },
      ],
      'a token for all tenants': [
        'invalid_claims',
        { iss: 'https://login.microsoftonline.com/{tenantid}/v2.0' },
      ],
      'an ID token of the client that is the API': [
        'invalid_claims',
        { azp: undefined, azpacr: undefined, scp: undefined, nonce: 'n' },
      ],
    },
  },
  Cognito: {
    options: cognito,
    urls: [`${cognitoPool}/.well-known/openid-configuration`, `${cognitoPool}/.well-known/jwks.json`],
    claims: {
      iss: cognitoPool,
      sub: 'b2c3d4e5-0000-4000-8000-000000000000',
      token_use: 'access',
      client_id: '7k1example',
      origin_jti: 'o',
      version: 2,
      scope: 'aws.cognito.signin.user.admin',
      username: 'someone',
    },
    wrong: {
      'an ID token': ['invalid_claims', { aud: '7k1example', client_id: undefined, token_use: 'id' }],
      'a token of another client': ['invalid_claims', { client_id: '9z9example' }],
      'a token of another pool': [
        'invalid_claims',
        { iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other' },
      ],
    },
  },
  Okta: {
    options: okta,
    urls: [
      'https://acme.okta.com/oauth2/default/.well-known/openid-configuration',
      'https://acme.okta.com/oauth2/default/v1/keys',
    ],
    claims: {
      ver: 1,
      jti: 'AT.abc',
      iss: 'https://acme.okta.com/oauth2/default',
      aud: 'api://default',
      cid: '0oa1example',
      uid: '00u1example',
      scp: ['orders.read'],
      sub: 'someone@example.com',
    },
    wrong: {
      'an ID token': [
        'invalid_audience',
        { jti: 'ID.abc', aud: '0oa1example', amr: ['pwd'], scp: undefined },
      ],
      'a token for another API': ['invalid_audience', { aud: 'api://other' }],
      'a token of the organisation’s server': ['invalid_claims', { iss: 'https://acme.okta.com' }],
    },
  },
  'Google, ID tokens': {
    options: google,
    urls: [
      'https://accounts.google.com/.well-known/openid-configuration',
      'https://www.googleapis.com/oauth2/v3/certs',
    ],
    header: jwt,
    claims: {
      iss: 'https://accounts.google.com',
      azp: googleClient,
      aud: googleClient,
      sub: '110169484474386276334',
      hd: 'example.com',
      email: 'someone@example.com',
      email_verified: true,
    },
    wrong: {
      'a token for another client': ['invalid_audience', { aud: '9-other.apps.googleusercontent.com' }],
      'a token of another organisation': ['invalid_claims', { hd: 'other.example' }],
      'a token of a private account': ['invalid_claims', { hd: undefined }],
    },
  },
  'GitHub Actions': {
    options: github,
    urls: [
      'https://token.actions.githubusercontent.com/.well-known/openid-configuration',
      'https://token.actions.githubusercontent.com/.well-known/jwks',
    ],
    publish: certified,
    header: { ...jwt, x5t: 'dGh1bWJwcmludA' },
    claims: {
      iss: 'https://token.actions.githubusercontent.com',
      sub: 'repo:acme/shop:ref:refs/heads/main',
      aud: 'https://deploy.example.com',
      ref: 'refs/heads/main',
      ref_type: 'branch',
      repository: 'acme/shop',
      repository_id: '424242',
      repository_owner: 'acme',
      repository_owner_id: '2020',
      event_name: 'push',
      workflow_ref: 'acme/shop/.github/workflows/ci.yml@refs/heads/main',
      runner_environment: 'github-hosted',
    },
    wrong: {
      'a token of another repository': [
        'invalid_claims',
        { sub: 'repo:acme/other:ref:refs/heads/main', repository: 'acme/other', repository_id: '434343' },
      ],
      'a token of a pull request': [
        'invalid_claims',
        { sub: 'repo:acme/shop:pull_request', ref: 'refs/pull/7/merge', event_name: 'pull_request' },
      ],
      'a token for the default audience': ['invalid_audience', { aud: 'https://github.com/acme' }],
    },
  },
}
