import { suite, test } from 'node:test'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer, type TestBinding } from '../../../lib/testing/index.ts'
import { createApp } from '../../helpers/app.ts'
import { baseUrl, client, codeOf, createDPoPApp, url } from '../../helpers/dpop.ts'
import { createSelfSigned } from '../../helpers/self-signed.ts'

/** Which bindings of a token, schemes and proofs go together in each mode. */

const issuer = await createTestIssuer()
test.after(() => issuer.close())
const { der } = createSelfSigned()
const other = createSelfSigned()

const bindings = {
  nothing: undefined,
  'a key': { jkt: client.jkt },
  'a certificate': { certificate: der },
  both: { jkt: client.jkt, certificate: der },
} satisfies Record<string, TestBinding | undefined>

/** What a request presents: the scheme, `p` for a proof, `c` for the certificate and `x` for another certificate. */
type Request =
  | 'Bearer'
  | 'Bearer p'
  | 'Bearer c'
  | 'Bearer x'
  | 'Bearer pc'
  | 'DPoP'
  | 'DPoP p'
  | 'DPoP pc'
  | 'DPoP px'
  | 'DPoP c'
const requests: Request[] = [
  'Bearer',
  'Bearer p',
  'Bearer c',
  'Bearer x',
  'Bearer pc',
  'DPoP',
  'DPoP p',
  'DPoP pc',
  'DPoP px',
  'DPoP c',
]

/** The requests that are accepted, by what the token is bound to. All others are refused. */
type Accepted = Partial<Record<keyof typeof bindings, Request[]>>

const bearer: Request[] = ['Bearer', 'Bearer p', 'Bearer c', 'Bearer x', 'Bearer pc']
const withProof: Request[] = ['DPoP p', 'DPoP pc', 'DPoP px']
const withCertificate: Request[] = ['Bearer c', 'Bearer pc']

const dpop = (mode: string): object => ({ dpop: mode === 'unchecked' ? mode : { mode, baseUrl } })
const mtls = (mode: string): object => ({
  mtls: mode === 'unchecked' ? mode : { mode, header: 'Client-Cert' },
})

const modes: [name: string, options: object, accepted: Accepted][] = [
  ['no option', {}, { nothing: bearer }],
  ['dpop allowed', dpop('allowed'), { nothing: bearer, 'a key': withProof }],
  ['dpop required', dpop('required'), { 'a key': withProof }],
  ['dpop unchecked', dpop('unchecked'), { nothing: requests, 'a key': requests }],
  ['mtls allowed', mtls('allowed'), { nothing: bearer, 'a certificate': withCertificate }],
  ['mtls required', mtls('required'), { 'a certificate': withCertificate }],
  ['mtls unchecked', mtls('unchecked'), { nothing: bearer, 'a certificate': bearer }],
  [
    'both allowed',
    { ...dpop('allowed'), ...mtls('allowed') },
    { nothing: bearer, 'a key': withProof, 'a certificate': withCertificate, both: ['DPoP pc'] },
  ],
  [
    'both required',
    { ...dpop('required'), ...mtls('required') },
    { 'a key': withProof, 'a certificate': withCertificate, both: ['DPoP pc'] },
  ],
  [
    'dpop required and mtls allowed',
    { ...dpop('required'), ...mtls('allowed') },
    { 'a key': withProof, both: ['DPoP pc'] },
  ],
  [
    'dpop allowed and mtls required',
    { ...dpop('allowed'), ...mtls('required') },
    { 'a certificate': withCertificate, both: ['DPoP pc'] },
  ],
  [
    'dpop allowed and mtls unchecked',
    { ...dpop('allowed'), ...mtls('unchecked') },
    { nothing: bearer, 'a key': withProof, 'a certificate': bearer, both: withProof },
  ],
  [
    'dpop unchecked and mtls allowed',
    { ...dpop('unchecked'), ...mtls('allowed') },
    {
      nothing: requests,
      'a key': requests,
      'a certificate': requests.filter((request) => request.includes('c')),
      both: requests.filter((request) => request.includes('c')),
    },
  ],
  [
    'both unchecked',
    { ...dpop('unchecked'), ...mtls('unchecked') },
    { nothing: requests, 'a key': requests, 'a certificate': requests, both: requests },
  ],
]

suite('what a token is bound to', () => {
  for (const [name, options, accepted] of modes) {
    for (const [bound, boundTo] of Object.entries(bindings)) {
      test(`with ${name} a token that is bound to ${bound} is accepted with its proofs only, cached or not`, async (t) => {
        const app = await createApp({ ...issuer.options, ...options } as JwksAuthOptions)
        t.after(() => app.close())
        const token = issuer.token({}, boundTo && { boundTo })
        const passed: Request[] = []
        for (const request of [...requests, ...requests, ...requests]) {
          const [scheme, sent = ''] = request.split(' ')
          const certificate = sent.includes('x') ? other.der : der
          const response = await app.inject({
            url: '/secured',
            headers: {
              authorization: `${scheme} ${token}`,
              ...(sent.includes('p') && { dpop: client.proof({ url, token }) }),
              ...(/[cx]/.test(sent) && { 'client-cert': `:${certificate.toString('base64')}:` }),
            },
          })
          if (codeOf(response) === 200) passed.push(request)
        }
        const expected = accepted[bound as keyof typeof bindings] ?? []
        t.assert.deepEqual(passed, [...expected, ...expected, ...expected])
      })
    }
  }
})

suite('with getToken the scheme is not known', () => {
  const getToken = ({ headers }: { headers: { token?: string } }): string | undefined => headers.token
  const rows: [
    what: string,
    boundTo: TestBinding | undefined,
    proof: boolean,
    mode: string,
    code: unknown,
  ][] = [
    ['an unbound token', undefined, false, 'allowed', 200],
    ['an unbound token with a proof', undefined, true, 'allowed', 200],
    ['an unbound token where DPoP is required', undefined, true, 'required', 'invalid_binding'],
    ['a bound token with its proof', client, true, 'allowed', 200],
    ['a bound token without a proof', client, false, 'allowed', 'invalid_binding'],
  ]
  for (const [what, boundTo, isProven, mode, code] of rows) {
    test(`the answer to ${what} of getToken is ${String(code)}`, async (t) => {
      const app = await createDPoPApp(issuer, undefined, { ...dpop(mode), getToken })
      t.after(() => app.close())
      const token = issuer.token({}, boundTo && { boundTo })
      const headers = { token, ...(isProven && { dpop: client.proof({ url, token }) }) }
      t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), code)
    })
  }

  test('a wrong proof of a token of getToken is refused', async (t) => {
    const app = await createDPoPApp(issuer, undefined, { ...dpop('allowed'), getToken })
    t.after(() => app.close())
    const token = issuer.token({}, { boundTo: client })
    const headers = { token, dpop: client.proof({ url, token }, { forged: true }) }
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_dpop_proof')
  })
})

test('the certificate is checked before the proof, which is not used up then', async (t) => {
  const app = await createDPoPApp(issuer, undefined, { ...dpop('allowed'), ...mtls('allowed') })
  t.after(() => app.close())
  const token = issuer.token({}, { boundTo: bindings.both })
  const headers = client.headers({ url, token })
  t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_binding')
  const withCert = { ...headers, 'client-cert': `:${der.toString('base64')}:` }
  t.assert.equal(codeOf(await app.inject({ url: '/secured', headers: withCert })), 200)
  t.assert.equal(codeOf(await app.inject({ url: '/secured', headers: withCert })), 'invalid_dpop_proof')
})
