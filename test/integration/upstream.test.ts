import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import buildGetJwks, { type GetJwks } from 'get-jwks'
import { LocalIssuer } from '../helpers/issuer.ts'

// The behaviour of get-jwks that lib/jwks/jwk-set.ts relies on, and the behaviour because of which it uses no more of get-jwks. If a test
// of the second kind fails after an update, docs/upstream.md says what can be left to get-jwks.

function getJwksOf(): GetJwks {
  return buildGetJwks({ jwksPath: 'jwks' })
}

suite('the cache of get-jwks', () => {
  test('an entry of the get-jwks cache is found by algorithm, kid and issuer without a fetch', async () => {
    await using issuer = await LocalIssuer.start({ path: '/' })
    const getJwks = getJwksOf()
    const jwk = { kid: 'a', alg: 'RS256', domain: issuer.issuer }
    const name = getJwks.generateCacheKey('RS256', 'a', issuer.issuer)
    getJwks.cache.set(name, jwk)
    assert.equal(getJwks.cache.get(name), jwk)
    assert.equal(await getJwks.getJwk({ domain: issuer.issuer, alg: 'RS256', kid: 'a' }), jwk)
    assert.deepEqual(issuer.requests, [])
  })

  test('different keys have different names in the get-jwks cache', () => {
    const { generateCacheKey } = getJwksOf()
    const keys: [alg: string, kid: string, issuer: string][] = [
      ['RS256', 'a', 'https://id.example.com/'],
      ['RS256', 'a:https://id.example.com/', ''],
      ['RS256:a', '', 'https://id.example.com/'],
      ['RS256', 'a%3A', 'https://id.example.com/'],
      ['RS256', 'a:', 'https://id.example.com/'],
    ]
    assert.equal(new Set(keys.map((key) => generateCacheKey(...key))).size, keys.length)
  })

  test('the get-jwks cache holds as many entries as its option says, without a time limit', () => {
    const { cache } = buildGetJwks({ max: 2, ttl: Number.MAX_SAFE_INTEGER })
    for (const kid of ['a', 'b', 'c']) cache.set(kid, { kid, alg: 'RS256', domain: '' })
    assert.deepEqual(
      ['a', 'b', 'c'].map((kid) => cache.get(kid) !== undefined),
      [false, true, true],
    )
  })
})

suite('get-jwks without the plugin', () => {
  test('get-jwks returns a removed key after the key has left its cache', async () => {
    await using issuer = await LocalIssuer.start()
    const getJwks = getJwksOf()
    const signature = { domain: issuer.issuer, alg: 'ES256', kid: issuer.key.jwk.kid }
    const jwk = await getJwks.getJwk(signature)
    issuer.keys = []
    for (const fetches of [2, 3, 4]) {
      // An expired entry is deleted in the same way.
      getJwks.cache.delete(getJwks.generateCacheKey('ES256', signature.kid, `${issuer.issuer}/`))
      assert.equal(await getJwks.getJwk(signature), jwk)
      assert.equal(issuer.fetches, fetches)
    }
  })

  test('get-jwks fetches the whole set for every kid', async () => {
    await using issuer = await LocalIssuer.start()
    const getJwks = getJwksOf()
    const kids = Array.from({ length: 20 }, (_, index) => `kid ${index}`)
    await Promise.allSettled(kids.map((kid) => getJwks.getJwk({ domain: issuer.issuer, alg: 'ES256', kid })))
    assert.equal(issuer.fetches, 20)
  })
})
