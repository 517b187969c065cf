import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { discoverJwksUri, OtherIssuerError, type DiscoveredIssuer } from '../../../lib/jwks/discovery.ts'
import { FetchError } from '../../../lib/fetch/fetch-error.ts'
import { fetchJson } from '../../../lib/fetch/fetch-json.ts'
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
  { metadataUrl, allowInsecure = false }: { metadataUrl?: string; allowInsecure?: boolean } = {},
): Promise<{ asked: string[]; jwksUri: Promise<URL> }> {
  const asked: string[] = []
  const source = {
    issuer,
    allowInsecure,
    metadataUrl: metadataUrl === undefined ? undefined : new URL(metadataUrl),
  }
  const jwksUri = discoverJwksUri(source, async ({ href }) => {
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
  for (const [issuer, ...paths] of [
    [host, openid, oauth],
    [`${host}/`, openid, oauth],
    [`${host}/realms/a`, `/realms/a${openid}`, `${oauth}/realms/a`, `${openid}/realms/a`],
    [`${host}/realms/a/`, `/realms/a${openid}`, `${oauth}/realms/a`, `${openid}/realms/a`],
    [`${host}/a%2Fb`, `/a%2Fb${openid}`, `${oauth}/a%2Fb`, `${openid}/a%2Fb`],
    [
      `${host}//other.example`,
      `//other.example${openid}`,
      `${oauth}//other.example`,
      `${openid}//other.example`,
    ],
  ] as const) {
    const urls = paths.map((path) => host + path)

    test(`the metadata of ${issuer} is fetched from the URLs of OpenID Connect, of RFC 8414, and where OpenID Connect's path is inserted`, async () => {
      const { asked, jwksUri } = await discover(issuer, {})
      await assert.rejects(jwksUri, new FetchError('HTTP 404', { status: 404 }))
      assert.deepEqual(asked, urls)
    })

    test(`the metadata of ${issuer} is accepted at each URL`, async () => {
      for (const [index, url] of urls.entries()) {
        const { asked, jwksUri } = await discover(issuer, { [url]: { issuer, jwks_uri: keys } })
        assert.equal((await jwksUri).href, keys)
        assert.deepEqual(asked, urls.slice(0, index + 1))
      }
    })
  }

  test('no other URL is fetched after a document with another issuer', async () => {
    const { asked, jwksUri } = await discover(host, {
      [host + openid]: { issuer: 'https://other.example.com', jwks_uri: keys },
      [host + oauth]: { issuer: host, jwks_uri: keys },
    })
    await assert.rejects(jwksUri, OtherIssuerError)
    assert.deepEqual(asked, [host + openid])
  })

  for (const document of [
    null,
    'text',
    1,
    [],
    [{ issuer: host, jwks_uri: keys }],
    {},
    { error: 'not found' },
    { issuer: null, jwks_uri: keys },
    { issuer: [host], jwks_uri: keys },
  ]) {
    test(`after ${JSON.stringify(document)}, which names no issuer, the next URL is fetched`, async () => {
      const { asked, jwksUri } = await discover(host, {
        [host + openid]: document,
        [host + oauth]: { issuer: host, jwks_uri: keys },
      })
      assert.equal((await jwksUri).href, keys)
      assert.deepEqual(asked, [host + openid, host + oauth])
    })

    test(`${JSON.stringify(document)} at the last URL is no metadata, and not another issuer`, async () => {
      const { jwksUri } = await discover(host, { [host + oauth]: document })
      await assert.rejects(jwksUri, new FetchError('not metadata with an issuer'))
    })
  }

  test('with metadataUrl only that URL is fetched, and its issuer must be equal', async () => {
    const metadataUrl = `${host}/policy/${openid}?p=sign-in`
    const found = await discover(host, { [metadataUrl]: { issuer: host, jwks_uri: keys } }, { metadataUrl })
    assert.equal((await found.jwksUri).href, keys)
    assert.deepEqual(found.asked, [metadataUrl])
    const other = await discover(
      host,
      { [metadataUrl]: { issuer: `${host}/b`, jwks_uri: keys } },
      { metadataUrl },
    )
    await assert.rejects(other.jwksUri, OtherIssuerError)
    const absent = await discover(
      host,
      { [host + openid]: { issuer: host, jwks_uri: keys } },
      { metadataUrl },
    )
    await assert.rejects(absent.jwksUri, new FetchError('HTTP 404', { status: 404 }))
    assert.deepEqual(absent.asked, [metadataUrl])
  })
})

suite('the issuer in the metadata', () => {
  for (const [name, reason] of [
    [`${host}/`, '; they differ in: the slash at its end'],
    ['https://id.example.com:443', '; they differ in: the default port'],
    ['HTTPS://ID.EXAMPLE.COM', '; they differ in: upper and lower case'],
    [`${host}/realms/a`, '; they differ in: its path'],
    ['https://other.example.com', ''],
    ['', ''],
  ] as const) {
    test(`metadata with the issuer ${JSON.stringify(name)} is refused for ${host}, and the reason says how they differ`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: name, jwks_uri: keys } })
      await assert.rejects(jwksUri, (error) => {
        assert.ok(error instanceof OtherIssuerError)
        assert.equal(error.message, `its metadata names another issuer${reason}`)
        assert.equal(error.metadataIssuer, name)
        return true
      })
    })
  }

  test('metadata without the slash at the end of the issuer is refused', async () => {
    const { jwksUri } = await discover(`${host}/`, { [host + openid]: { issuer: host, jwks_uri: keys } })
    await assert.rejects(jwksUri, OtherIssuerError)
  })
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
    for (const uri of ['http://id.example.com/jwks', 'http://127.0.0.1:8080/jwks']) {
      const documents = { [host + openid]: { issuer: host, jwks_uri: uri } }
      const { jwksUri } = await discover(host, documents, { allowInsecure: true })
      assert.equal((await jwksUri).href, uri)
    }
  })

  for (const issuer of ['http://localhost:8080', 'http://127.0.0.2/a', 'http://[::1]', 'https://localhost']) {
    test(`the jwks_uri of ${issuer} may be http on loopback`, async () => {
      const uri = 'http://127.0.0.1:8080/jwks'
      const { origin, pathname } = new URL(issuer)
      const url = `${origin}${pathname.replace(/\/$/, '')}${openid}`
      const { jwksUri } = await discover(issuer, { [url]: { issuer, jwks_uri: uri } })
      assert.equal((await jwksUri).href, uri)
    })
  }

  for (const uri of ['http://127.0.0.1:8080/jwks', 'http://localhost/jwks', 'http://[::1]/jwks']) {
    test(`the jwks_uri ${uri} of an issuer that is not on loopback is refused`, async () => {
      const { jwksUri } = await discover(host, { [host + openid]: { issuer: host, jwks_uri: uri } })
      await assert.rejects(
        jwksUri,
        new FetchError('its jwks_uri is http on loopback, which only an issuer on loopback may have'),
      )
    })
  }
})

suite('discovery over HTTP', () => {
  const wellKnown = (issuer: string): DiscoveredIssuer => ({
    issuer,
    metadataUrl: undefined,
    allowInsecure: false,
  })
  const get = async (url: URL, signal = new AbortController().signal): Promise<unknown> =>
    (await fetchJson(url, { signal, timeout: 10_000, maxResponseSize: 65_536, dispatcher: undefined }))
      .document

  test('the metadata of an issuer with a path is found', async () => {
    await using issuer = await LocalIssuer.start({ key, path: '/realms/a/' })
    assert.equal((await discoverJwksUri(wellKnown(issuer.issuer), get)).href, issuer.jwksUri)
    assert.deepEqual(issuer.requests, [`/realms/a${openid}`])
  })

  for (const status of [400, 401, 403, 404, 410, 499]) {
    test(`the next URL is fetched after ${status}`, async () => {
      await using issuer = await LocalIssuer.start({ key, path: '/realms/a' })
      issuer.on(`/realms/a${openid}`, sendJson({}, status))
      issuer.on(`${oauth}/realms/a`, issuer.metadata)
      assert.equal((await discoverJwksUri(wellKnown(issuer.issuer), get)).href, issuer.jwksUri)
      assert.deepEqual(issuer.requests, [`/realms/a${openid}`, `${oauth}/realms/a`])
    })
  }

  for (const [name, answer] of [
    ['429', sendJson({}, 429)],
    ['500', sendJson({}, 500)],
    ['503', sendJson({}, 503)],
    ['a redirect', redirect(302, oauth)],
    ['a long answer', hostile['has no end']!],
    ['a wrong content-encoding', hostile['has a wrong content-encoding']!],
    ['a connection that ends', hostile['hangs up']!],
  ] as const) {
    test(`no other URL is fetched after ${name}`, async () => {
      await using issuer = await LocalIssuer.start({ key })
      issuer.on(openid, answer)
      issuer.on(oauth, issuer.metadata)
      await assert.rejects(discoverJwksUri(wellKnown(issuer.issuer), get), FetchError)
      assert.deepEqual(issuer.requests, [openid])
    })
  }

  for (const [name, answer] of [
    ['HTML', hostile['is HTML']!],
    ['no content', hostile['has no content']!],
    ['an empty answer', hostile['is empty']!],
    ['JSON that is no object with an issuer', sendJson({ error: 'not found' })],
  ] as const) {
    test(`the next URL is fetched after a 2xx that is ${name}`, async () => {
      await using issuer = await LocalIssuer.start({ key })
      issuer.on(openid, answer)
      issuer.on(oauth, issuer.metadata)
      assert.equal((await discoverJwksUri(wellKnown(issuer.issuer), get)).href, issuer.jwksUri)
      assert.deepEqual(issuer.requests, [openid, oauth])
    })
  }

  test('no other URL is fetched after the timeout', async () => {
    await using issuer = await LocalIssuer.start({ key })
    const abort = new AbortController()
    issuer.on(openid, () => abort.abort('timeout'))
    issuer.on(oauth, issuer.metadata)
    await assert.rejects(
      discoverJwksUri(wellKnown(issuer.issuer), (url) => get(url, abort.signal)),
      new FetchError('timeout'),
    )
    assert.deepEqual(issuer.requests, [openid])
  })

  test('an error that is no failure of the issuer is passed on unchanged', async () => {
    let asked = 0
    const error = Object.assign(new RangeError('an error of the library'), { status: 404 })
    const jwksUri = discoverJwksUri(wellKnown(host), async () => {
      asked += 1
      throw error
    })
    await assert.rejects(jwksUri, error)
    assert.equal(asked, 1)
  })
})
