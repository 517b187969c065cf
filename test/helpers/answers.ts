import type { JwksAuthOptions } from '../../lib/index.ts'
import { now, unsignedToken, type TokenParts } from './issuer.ts'

/** What is refused, and how; the tables of docs/answers.md are held against these. */

export const bare: string = 'Bearer realm="api"'
export const invalidRequest: string = 'Bearer realm="api", error="invalid_request"'
export const invalidToken: string = 'Bearer realm="api", error="invalid_token"'
const claimsMessage = 'incorrect claims, please check the audience and issuer'

export const refusedHeaders: [
  title: string,
  header: string | undefined,
  code: string,
  message: string,
  challenge: string,
][] = [
  ['none', undefined, 'authorization_header_missing', 'Authorization header is expected', bare],
  ['an empty one', '', 'authorization_header_missing', 'Authorization header is expected', bare],
  ['another scheme', 'Basic YTpi', 'invalid_header', 'Authorization header must start with Bearer', bare],
  ['a longer scheme', 'Bearers x', 'invalid_header', 'Authorization header must start with Bearer', bare],
  ['a token alone', 'a.b.c', 'invalid_header', 'Authorization header must start with Bearer', bare],
  ['Bearer alone', 'Bearer', 'invalid_header', 'Token not found', invalidRequest],
  ['Bearer and a space', 'Bearer ', 'invalid_header', 'Token not found', invalidRequest],
  [
    'three parts',
    'Bearer a b',
    'invalid_header',
    'Authorization header must be Bearer token',
    invalidRequest,
  ],
  [
    'two in one',
    'Bearer a, Basic b',
    'invalid_header',
    'Authorization header must be Bearer token',
    invalidRequest,
  ],
]
const object = Buffer.from('{}').toString('base64url')
const badUtf8 = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')
export const unreadableTokens: [title: string, token: string][] = [
  ['an opaque token', 'opaque'],
  ['two segments', 'a.b'],
  ['four segments', `${object}.${object}.x.y`],
  ['an encrypted JWT of five segments', `${object}.x.y.z.w`],
  ['empty segments', '..'],
  ['a header that is not JSON', `bm90.${object}.x`],
  ['a payload that is not JSON', `${object}.bm90.x`],
  ['a header that is an array', `W10.${object}.x`],
  ['a payload that is an array', `${object}.W10.x`],
  ['a payload that is null', `${object}.bnVsbA.x`],
  ['padding', `e30=.${object}.x`],
  ['foreign characters', `e3!0.${object}.x`],
  ['base64 instead of base64url', `eyJhIjoiw7/Du34ifQ==.${object}.x`],
  ['loose bits in the last character', `e31.${object}.x`],
  ['a payload that is not UTF-8', `${object}.${badUtf8}.x`],
  ['a header that is not UTF-8', `${badUtf8}.${object}.x`],
  ['a known kind of crit', unsignedToken({ alg: 'RS256', crit: ['b64'], b64: false }, {}, 'x')],
  ['an unknown crit', unsignedToken({ alg: 'RS256', crit: ['x'], x: 1 }, {}, 'x')],
  ['a crit of null', unsignedToken({ alg: 'RS256', crit: null }, {}, 'x')],
  ['ten thousand dots', '.'.repeat(10_000)],
]
export const refusedTokens: [
  title: string,
  parts: TokenParts,
  code: string,
  message: string,
  options?: Partial<JwksAuthOptions>,
][] = [
  ['of another issuer', { claims: { iss: 'https://other.example/' } }, 'invalid_claims', claimsMessage],
  ['without iss', { claims: { iss: undefined } }, 'invalid_claims', claimsMessage],
  ['without kid', { header: { kid: undefined } }, 'invalid_header', 'Unable to find appropriate key'],
  ['with a kid that is a number', { header: { kid: 1 } }, 'invalid_header', 'Unable to find appropriate key'],
  ['with an unknown kid', { header: { kid: 'x' } }, 'invalid_header', 'Unable to find appropriate key'],
  [
    'with a kid that is no text',
    { header: { kid: '\ud800' } },
    'invalid_header',
    'Unable to find appropriate key',
  ],
  [
    'with an algorithm that is not allowed',
    {},
    'invalid_algorithm',
    'the signing algorithm is not allowed',
    { algorithms: ['RS256'] },
  ],
  ['without exp', { claims: { exp: undefined } }, 'invalid_claims', claimsMessage],
  ['without aud', { claims: { aud: undefined } }, 'invalid_claims', claimsMessage],
  ['of another kind', { header: { typ: 'logout+jwt' } }, 'invalid_claims', claimsMessage],
  ['that has expired', { claims: { exp: now() - 10 } }, 'token_expired', 'token is expired'],
  [
    'that is too old',
    { claims: { iat: now() - 100 } },
    'token_expired',
    'token is expired',
    { maxTokenAge: 60_000 },
  ],
  ['that is not active yet', { claims: { nbf: now() + 60 } }, 'token_not_active', 'token is not active yet'],
  [
    'for another audience',
    { claims: { aud: 'other' } },
    'invalid_audience',
    'the audience does not match. expected: api',
  ],
  [
    'for none of several audiences',
    {},
    'invalid_audience',
    'the audience does not match. expected: a, b',
    { audience: ['a', 'b'] },
  ],
  ['with another value of a claim', {}, 'invalid_claims', claimsMessage, { claims: { token_use: 'access' } }],
]
