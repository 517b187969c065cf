import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { build } from '../../../docs/examples/kubernetes.ts'
import { call, readAnswer } from '../../helpers/app.ts'
import { createCertificate, skip } from '../../helpers/certificate.ts'
import { createKeyPair, now, sign } from '../../helpers/issuer.ts'

const key = await createKeyPair('RS256')
const claims = {
  iss: 'https://kubernetes.default.svc.cluster.local',
  aud: ['orders'],
  sub: 'system:serviceaccount:shop:checkout',
  jti: 'aed34954-b33a-4142-b1ec-389d6bbb4936',
  'kubernetes.io': {
    namespace: 'shop',
    node: { name: 'node-1', uid: '1' },
    pod: { name: 'checkout-0', uid: '2' },
    serviceaccount: { name: 'checkout', uid: '3' },
  },
}
const token = (others: Record<string, unknown> = {}): Promise<string> =>
  sign(key, { iat: now(), nbf: now(), exp: now() + 3607, ...claims, ...others })

/** Starts an API server that returns its keys to requests with the token of the pod that accept them, and an application in a pod. */
async function setUp(t: TestContext): Promise<{ app: FastifyInstance; asked: unknown[] }> {
  const { ca, ...certificate } = createCertificate()
  const asked: unknown[] = []
  const server = createServer(certificate, ({ url, headers }, response) => {
    asked.push([url, headers.authorization])
    // As kube-apiserver does.
    if (!headers.accept?.includes('application/jwk-set+json')) {
      response.writeHead(406).end('only the following media types are accepted: application/jwk-set+json')
      return
    }
    const isKnown = headers.authorization === 'Bearer of-the-pod'
    response.writeHead(isKnown ? 200 : 403, { 'content-type': 'application/jwk-set+json' })
    response.end(JSON.stringify(isKnown ? { keys: [key.jwk] } : { kind: 'Status', code: 403 }))
  }).listen(0)
  await once(server, 'listening')
  const directory = mkdtempSync(join(tmpdir(), 'pod-'))
  writeFileSync(join(directory, 'ca.crt'), ca)
  writeFileSync(join(directory, 'token'), 'of-the-pod\n')
  const app = await build(directory, `https://localhost:${(server.address() as AddressInfo).port}`)
  t.after(async () => {
    await app.close()
    server.close()
    rmSync(directory, { recursive: true })
  })
  return { app, asked }
}

suite('Kubernetes service accounts', { skip }, () => {
  test("Kubernetes: a right token is accepted, with keys from an API server with a certificate of the cluster's CA", async (t) => {
    const { app, asked } = await setUp(t)
    t.assert.equal((await call(app, await token(), '/orders')).body, claims.sub)
    t.assert.deepEqual(asked, [['/openid/v1/jwks', 'Bearer of-the-pod']])
  })

  const wrong: Record<string, [code: string, claims: Record<string, unknown>]> = {
    'a token of another namespace': ['invalid_claims', { sub: 'system:serviceaccount:other:checkout' }],
    'a token for the API server': ['invalid_audience', { aud: [claims.iss] }],
    'a token of another cluster': ['invalid_claims', { iss: 'https://other.example.com' }],
    'a token from a Secret, without exp and aud': [
      'invalid_claims',
      { iss: 'kubernetes/serviceaccount', aud: undefined, exp: undefined },
    ],
  }
  for (const [title, [code, others]] of Object.entries(wrong)) {
    test(`Kubernetes: ${title} is refused`, async (t) => {
      const { app } = await setUp(t)
      t.assert.equal(readAnswer(await call(app, await token(others), '/orders')).code, code)
    })
  }
})
