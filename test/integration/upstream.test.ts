import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import buildGetJwks, { type GetJwks } from 'get-jwks'
import { LocalIssuer } from '../helpers/issuer.ts'

// What lib/jwks/jwk-set.ts builds on in get-jwks, and why it builds on nothing else of it. Where a test of the second
// kind fails after an update, docs/upstream.md tells what can be left to get-jwks now.

function getJwksOf(): GetJwks {
  return buildGetJwks({ jwksPath: 'jwks' })
}

suite('what the cache of get-jwks is for', () => {
  test('an entry that was put in by its name is found by algorithm, kid and issuer, without a fetch', async () => {
    await using issuer = await LocalIssuer.start({ path: '/' })
    const getJwks = getJwksOf()
    const jwk = { kid: 'a', alg: 'RS256', domain: issuer.issuer }
    const name = getJwks.generateCacheKey('RS256', 'a', issuer.issuer)
    getJwks.cache.set(name, jwk)
    assert.equal(getJwks.cache.get(name), jwk)
    assert.equal(await getJwks.getJwk({ domain: issuer.issuer, alg: 'RS256', kid: 'a' }), jwk)
    assert.deepEqual(issuer.requests, [])
  })

  test('no two keys share a name', () => {
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

  test('it has room for as many entries as it is told, for as long as numbers go', () => {
    const { cache } = buildGetJwks({ max: 2, ttl: Number.MAX_SAFE_INTEGER })
    for (const kid of ['a', 'b', 'c']) cache.set(kid, { kid, alg: 'RS256', domain: '' })
    assert.deepEqual(
      ['a', 'b', 'c'].map((kid) => cache.get(kid) !== undefined),
      [false, true, true],
    )
  })
})

suite('what get-jwks does with keys by itself', () => {
  test('it hands out a removed key once the key has left its cache', async () => {
    await using issuer = await LocalIssuer.start()
    const getJwks = getJwksOf()
    const signature = { domain: issuer.issuer, alg: 'ES256', kid: issuer.key.jwk.kid }
    const jwk = await getJwks.getJwk(signature)
    issuer.keys = []
    for (const fetches of [2, 3, 4]) {
      // As its expiry does.
      getJwks.cache.delete(getJwks.generateCacheKey('ES256', signature.kid, `${issuer.issuer}/`))
      assert.equal(await getJwks.getJwk(signature), jwk)
      assert.equal(issuer.fetches, fetches)
    }
  })

  test('it fetches the whole set for every kid', async () => {
    await using issuer = await LocalIssuer.start()
    const getJwks = getJwksOf()
    const kids = Array.from({ length: 20 }, (_, index) => `kid ${index}`)
    await Promise.allSettled(kids.map((kid) => getJwks.getJwk({ domain: issuer.issuer, alg: 'ES256', kid })))
    assert.equal(issuer.fetches, 20)
  })
})
