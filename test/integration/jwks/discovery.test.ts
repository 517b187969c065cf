import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { discoverJwksUri } from '../../../lib/jwks/discovery.ts'
import { FetchError } from '../../../lib/jwks/fetch-error.ts'
import { fetchJson } from '../../../lib/jwks/fetch-json.ts'
import { hostile, redirect } from '../../helpers/hostile.ts'
import { createKeyPair, sendJson, LocalIssuer, type KeyPair } from '../../helpers/issuer.ts'

let key: KeyPair
before(async () => {
  key = await createKeyPair('ES256')
})

/** Discovers the keys of an issuer with these documents by URL. Other URLs are answered 404. */
async function discover(
  issuer: string,
  documents: Record<string, unknown>,
  allowInsecure = false,
): Promise<{ asked: string[]; jwksUri: Promise<URL> }> {
  const asked: string[] = []
  const jwksUri = discoverJwksUri(issuer, allowInsecure, async ({ href }) => {
    asked.push(href)
    if (!Object.hasOwn(documents, href)) throw new FetchError('HTTP 404', { status: 404 })
    return documents[href]
  })
  await jwksUri.catch(() => {})
  return { asked, jwksUri }
}

const host = 'https://id.example.com'
const keys = 'https://keys.example.net/set'
const [openid, oauth] = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']

suite('the URL of the metadata', () => {
  for (const [issuer, first, second] of [
    [host, openid, oauth],
    [`${host}/`, openid, oauth],
    [`${host}/realms/a`, `/realms/a${openid}`, `${oauth}/realms/a`],
    [`${host}/realms/a/`, `/realms/a${openid}`, `${oauth}/realms/a`],
    [`${host}/a%2Fb`, `/a%2Fb${openid}`, `${oauth}/a%2Fb`],
    [`${host}//other.example`, `//other.example${openid}`, `${oauth}//other.example`],
  ] as const) {
    const urls = [host + first, host + second] as const

    test(`the metadata of ${issuer} is fetched from the URL of OpenID Connect, then from that of RFC 8414`, async () => {
      const { asked, jwksUri } = await discover(issuer, {})
      await assert.rejects(jwksUri, new FetchError('HTTP 404', { status: 404 }))
      assert.deepEqual(asked, urls)
    })

    test(`the metadata of ${issuer} is accepted at either URL`, async () => {
      for (const url of urls) {
        const { jwksUri } = await discover(issuer, { [url]: { issuer, jwks_uri: keys } })
        assert.equal((await jwksUri).href, keys)
      }
    })
  }

  test('the URL of RFC 8414 is not fetched after a good answer', async () => {
    const { asked } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: keys } })
    assert.deepEqual(asked, [host + openid])
  })

  test('the URL of RFC 8414 is not fetched after a document with another issuer', async () => {
    const { asked, jwksUri } = await discover(host, {
      [host + openid]: { issuer: 'https://other.example.com', jwks_uri: keys },
      [host + oauth]: { issuer: host, jwks_uri: keys },
    })
    await assert.rejects(jwksUri, FetchError)
    assert.deepEqual(asked, [host + openid])
  })
})

suite('the issuer in the metadata', () => {
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
    test(`metadata with the issuer ${JSON.stringify(name)} is refused for ${host}`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: name, jwks_uri: keys } })
      await assert.rejects(jwksUri, new FetchError('its metadata names another issuer'))
    })
  }

  test('metadata without the slash at the end of the issuer is refused', async () => {
    const { jwksUri } = await discover(`${host}/`, { [host + openid]: { issuer: host, jwks_uri: keys } })
    await assert.rejects(jwksUri, new FetchError('its metadata names another issuer'))
  })

  for (const document of [null, 'text', 1, [], [{ issuer: host, jwks_uri: keys }]]) {
    test(`the metadata ${JSON.stringify(document)} is refused`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: document })
      await assert.rejects(jwksUri, new FetchError('its metadata names another issuer'))
    })
  }
})

suite('the jwks_uri in the metadata', () => {
  for (const uri of [undefined, null, '', '/jwks', 'jwks', 1, [keys], {}]) {
    test(`the jwks_uri ${JSON.stringify(uri)} is refused`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
      await assert.rejects(jwksUri, new FetchError('its metadata has no usable jwks_uri'))
    })
  }

  for (const uri of ['http://id.example.com/jwks', 'file:///jwks.json', 'data:application/json,{}']) {
    test(`the jwks_uri ${uri} is refused because it is not https`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
      await assert.rejects(jwksUri, new FetchError('its jwks_uri is not https'))
    })
  }

  test('the jwks_uri may be http if insecure issuers are allowed', async () => {
    const uri = 'http://id.example.com/jwks'
    const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } }, true)
    assert.equal((await jwksUri).href, uri)
  })

  test('the jwks_uri may be http on loopback', async () => {
    const uri = 'http://127.0.0.1:8080/jwks'
    const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
    assert.equal((await jwksUri).href, uri)
  })
})

suite('discovery over HTTP', () => {
  const get = async (url: URL, signal = new AbortController().signal): Promise<unknown> =>
    (await fetchJson(url, { signal, timeout: 10_000, maxResponseSize: 65_536, dispatcher: undefined }))
      .document

  test('the metadata of an issuer with a path is found', async () => {
    await using issuer = await LocalIssuer.start({ key, path: '/realms/a/' })
    assert.equal((await discoverJwksUri(issuer.issuer, false, get)).href, issuer.jwksUri)
    assert.deepEqual(issuer.requests, [`/realms/a${openid}`])
  })

  for (const status of [400, 401, 403, 404, 410, 499]) {
    test(`the URL of RFC 8414 is fetched after ${status}`, async () => {
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
    test(`the URL of RFC 8414 is not fetched after ${name}`, async () => {
      await using issuer = await LocalIssuer.start({ key })
      issuer.on(openid, answer)
      issuer.on(oauth, issuer.metadata)
      await assert.rejects(discoverJwksUri(issuer.issuer, false, get), FetchError)
      assert.deepEqual(issuer.requests, [openid])
    })
  }

  test('the URL of RFC 8414 is not fetched after the timeout', async () => {
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

  test('an error that is no failure of the issuer is passed on unchanged', async () => {
    let asked = 0
    const error = Object.assign(new RangeError('an error of the library'), { status: 404 })
    const jwksUri = discoverJwksUri(host, false, async () => {
      asked += 1
      throw error
    })
    await assert.rejects(jwksUri, error)
    assert.equal(asked, 1)
  })
})
