import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { discoverJwksUri } from '../../../lib/jwks/discovery.ts'
import { fetchJson, FetchError } from '../../../lib/jwks/fetch-json.ts'
import { hostile, redirect } from '../../helpers/hostile.ts'
import { createKeyPair, sendJson, LocalIssuer, type KeyPair } from '../../helpers/issuer.ts'

let key: KeyPair
before(async () => {
  key = await createKeyPair('ES256')
})

/** Looks an issuer up that answers with these documents by URL, and with 404 where there is none. */
async function discover(
  issuer: string,
  documents: Record<string, unknown>,
  allowInsecure = false,
): Promise<{ asked: string[]; jwksUri: Promise<URL> }> {
  const asked: string[] = []
  const jwksUri = discoverJwksUri(issuer, allowInsecure, async ({ href }) => {
    asked.push(href)
    if (!Object.hasOwn(documents, href)) throw new FetchError('HTTP 404', 404)
    return documents[href]
  })
  await jwksUri.catch(() => {})
  return { asked, jwksUri }
}

const host = 'https://id.example.com'
const keys = 'https://keys.example.net/set'
const [openid, oauth] = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']

suite('where the metadata is', () => {
  for (const [issuer, first, second] of [
    [host, openid, oauth],
    [`${host}/`, openid, oauth],
    [`${host}/realms/a`, `/realms/a${openid}`, `${oauth}/realms/a`],
    [`${host}/realms/a/`, `/realms/a${openid}`, `${oauth}/realms/a`],
    [`${host}/a%2Fb`, `/a%2Fb${openid}`, `${oauth}/a%2Fb`],
    [`${host}//other.example`, `//other.example${openid}`, `${oauth}//other.example`],
  ] as const) {
    const urls = [host + first, host + second] as const

    test(`of ${issuer} first by OpenID Connect, then by RFC 8414`, async () => {
      const { asked, jwksUri } = await discover(issuer, {})
      await assert.rejects(jwksUri, new FetchError('HTTP 404', 404))
      assert.deepEqual(asked, urls)
    })

    test(`of ${issuer} either document is taken`, async () => {
      for (const url of urls) {
        const { jwksUri } = await discover(issuer, { [url]: { issuer, jwks_uri: keys } })
        assert.equal((await jwksUri).href, keys)
      }
    })
  }

  test('RFC 8414 is not asked where OpenID Connect has an answer', async () => {
    const { asked } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: keys } })
    assert.deepEqual(asked, [host + openid])
  })

  test('a document that is no good is not made up for by the other', async () => {
    const { asked, jwksUri } = await discover(host, {
      [host + openid]: { issuer: 'https://other.example.com', jwks_uri: keys },
      [host + oauth]: { issuer: host, jwks_uri: keys },
    })
    await assert.rejects(jwksUri, FetchError)
    assert.deepEqual(asked, [host + openid])
  })
})

suite('the issuer that the metadata names', () => {
  const names: unknown[] = [
    `${host}/`,
    'https://id.example.com:443',
    'HTTPS://ID.EXAMPLE.COM',
    'https://other.example.com',
    '',
    [host],
    null,
    undefined,
  ]
  for (const name of names) {
    test(`${JSON.stringify(name)} is not ${host}`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: name, jwks_uri: keys } })
      await assert.rejects(jwksUri, new FetchError('its metadata names another issuer'))
    })
  }

  test('one without its trailing slash is another', async () => {
    const { jwksUri } = await discover(`${host}/`, { [host + openid]: { issuer: host, jwks_uri: keys } })
    await assert.rejects(jwksUri, new FetchError('its metadata names another issuer'))
  })

  for (const document of [null, 'text', 1, [], [{ issuer: host, jwks_uri: keys }]]) {
    test(`${JSON.stringify(document)} names none`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: document })
      await assert.rejects(jwksUri, new FetchError('its metadata names another issuer'))
    })
  }
})

suite('the jwks_uri', () => {
  for (const uri of [undefined, null, '', '/jwks', 'jwks', 1, [keys], {}]) {
    test(`${JSON.stringify(uri)} is not usable`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
      await assert.rejects(jwksUri, new FetchError('its metadata has no usable jwks_uri'))
    })
  }

  for (const uri of ['http://id.example.com/jwks', 'file:///jwks.json', 'data:application/json,{}']) {
    test(`${uri} is not https`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
      await assert.rejects(jwksUri, new FetchError('its jwks_uri is not https'))
    })
  }

  test('it may be http where that was asked for', async () => {
    const uri = 'http://id.example.com/jwks'
    const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } }, true)
    assert.equal((await jwksUri).href, uri)
  })

  test('it may be http on loopback', async () => {
    const uri = 'http://127.0.0.1:8080/jwks'
    const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
    assert.equal((await jwksUri).href, uri)
  })
})

suite('over HTTP', () => {
  const get = async (url: URL, signal = new AbortController().signal): Promise<unknown> =>
    fetchJson(url, { signal, maxResponseSize: 65_536, dispatcher: undefined })

  test('metadata of an issuer with a path is found', async () => {
    await using issuer = await LocalIssuer.start({ key, path: '/realms/a/' })
    assert.equal((await discoverJwksUri(issuer.issuer, false, get)).href, issuer.jwksUri)
    assert.deepEqual(issuer.requests, [`/realms/a${openid}`])
  })

  for (const status of [400, 401, 403, 404, 410, 499]) {
    test(`RFC 8414 is asked after ${status}`, async () => {
      await using issuer = await LocalIssuer.start({ key, path: '/realms/a' })
      issuer.on(`/realms/a${openid}`, sendJson({}, status))
      issuer.on(`${oauth}/realms/a`, issuer.metadata)
      assert.equal((await discoverJwksUri(issuer.issuer, false, get)).href, issuer.jwksUri)
      assert.deepEqual(issuer.requests, [`/realms/a${openid}`, `${oauth}/realms/a`])
    })
  }

  for (const [name, answer] of [
    ['500', sendJson({}, 500)],
    ['503', sendJson({}, 503)],
    ['a redirect', redirect(302, oauth)],
    ['HTML', hostile['is HTML']!],
    ['a connection that ends', hostile['hangs up']!],
  ] as const) {
    test(`RFC 8414 is not asked after ${name}`, async () => {
      await using issuer = await LocalIssuer.start({ key })
      issuer.on(openid, answer)
      issuer.on(oauth, issuer.metadata)
      await assert.rejects(discoverJwksUri(issuer.issuer, false, get), FetchError)
      assert.deepEqual(issuer.requests, [openid])
    })
  }

  test('RFC 8414 is not asked when the time is up', async () => {
    await using issuer = await LocalIssuer.start({ key })
    const abort = new AbortController()
    issuer.on(openid, () => abort.abort('timeout'))
    issuer.on(oauth, issuer.metadata)
    await assert.rejects(
      discoverJwksUri(issuer.issuer, false, (url) => get(url, abort.signal)),
      new FetchError('timeout'),
    )
    assert.deepEqual(issuer.requests, [openid])
  })

  test("an error that is not the issuer's passes as it is", async () => {
    let asked = 0
    const error = Object.assign(new RangeError('a fault of our own'), { status: 404 })
    const jwksUri = discoverJwksUri(host, false, async () => {
      asked += 1
      throw error
    })
    await assert.rejects(jwksUri, error)
    assert.equal(asked, 1)
  })
})
