import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import { readPluginOptions } from '../../../lib/options/plugin-options.ts'

/** The options `resource` and `serveMetadata`: what is refused, and the document that they result in. */

const good = { issuer: 'https://id.example', audience: 'api' }
const url = 'https://api.example/mcp'

const read = (options: object): ReturnType<typeof readPluginOptions>['resource'] =>
  readPluginOptions({ ...good, ...options }).resource
const documentOf = (resource: unknown, options: object = {}): unknown =>
  read({ ...options, resource })?.metadata

const identifier =
  'must be an https URL without query, fragment, credentials and white space (http only on loopback)'
const document = 'must be the URL of this API, or its metadata with the names of RFC 9728'
const httpUrl = 'must be an http or https URL'
const httpsUrl = 'must be an https URL (http only on loopback)'
const text = 'must be a non-empty string'
const nonEmptyList = 'must be a list with at least one entry'
const boolean = 'must be true or false'
const methods = 'must be a list of header, body, query; it may be empty'
const json = 'must be JSON: strings, numbers, booleans, null, lists and plain objects'
const scope =
  'must be one scope of printable ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3)'
const noRefreshScope = 'must not be offline_access, which is no scope of an API'
const noNone = 'must not be none (RFC 9728 section 2)'

const cyclic: Record<string, unknown> = {}
cyclic.self = cyclic

suite('a wrong resource', () => {
  const identifiers: unknown[] = [
    '',
    'api',
    '/mcp',
    'api.example/mcp',
    'https:api.example',
    'https:\\\\api.example',
    'ftp://api.example',
    'http://api.example/mcp',
    'http://10.0.0.1/mcp',
    `${url}?`,
    `${url}?a=b`,
    `${url}#`,
    `${url}#a`,
    'https://me@api.example',
    'https://me:you@api.example',
    ` ${url}`,
    `${url}\n`,
    'https://api.example/a b',
    'https://',
    'https://a:99999/',
  ]
  for (const wrong of identifiers) {
    test(`the resource ${JSON.stringify(wrong)} is a TypeError, as text and in a document`, (t) => {
      t.assert.throws(() => read({ resource: wrong }), {
        name: 'TypeError',
        message: `fastify-jwks-auth: option "resource" ${identifier}`,
      })
      t.assert.throws(() => read({ resource: { resource: wrong } }), {
        name: 'TypeError',
        message: `fastify-jwks-auth: option "resource.resource" ${identifier}`,
      })
    })
  }

  const documents: unknown[] = [null, 5, true, [], [url], new URL(url), new Date()]
  for (const wrong of documents) {
    test(`a resource that is ${JSON.stringify(wrong)} is a TypeError`, (t) => {
      t.assert.throws(() => read({ resource: wrong }), {
        name: 'TypeError',
        message: `fastify-jwks-auth: option "resource" ${document}`,
      })
    })
  }

  test('a document without resource is a TypeError', (t) => {
    const message = 'fastify-jwks-auth: option "resource.resource" is required: the URL of this API'
    t.assert.throws(() => read({ resource: {} }), { name: 'TypeError', message })
  })

  const members: [name: string, right: string, ...wrong: unknown[]][] = [
    ['authorization_servers', nonEmptyList, [], 'https://id.example', {}],
    ['authorization_servers[1]', httpUrl, ['https://id.example', 'id.example'], ['https://id.example', 5]],
    ['jwks_uri', httpsUrl, 'keys', '', null, 5, 'http://api.example/keys'],
    ['scopes_supported', nonEmptyList, [], 'notes:read', null],
    ['scopes_supported[0]', scope, [''], ['a b'], ['a"b'], ['ä'], [5]],
    ['scopes_supported[0]', noRefreshScope, ['offline_access']],
    ['bearer_methods_supported', methods, 'header', ['cookie'], {}, null],
    ['resource_signing_alg_values_supported', nonEmptyList, []],
    ['resource_signing_alg_values_supported[0]', text, ['']],
    ['resource_signing_alg_values_supported[0]', noNone, ['none']],
    ['resource_name', text, '', 5, null],
    ['resource_name#fr', text, ''],
    ['resource_documentation', httpUrl, 'docs', ''],
    ['resource_documentation#fr', httpUrl, 'docs'],
    ['resource_policy_uri', httpUrl, 'policy'],
    ['resource_tos_uri', httpUrl, 'javascript:alert(1)'],
    ['tls_client_certificate_bound_access_tokens', boolean, 'true', 1],
    ['authorization_details_types_supported', nonEmptyList, []],
    ['authorization_details_types_supported[0]', text, [{}]],
    ['dpop_signing_alg_values_supported', nonEmptyList, []],
    ['dpop_signing_alg_values_supported[0]', noNone, ['none']],
    ['dpop_bound_access_tokens_required', boolean, 'false'],
    ['signed_metadata', text, {}],
    ['extension', nonEmptyList, []],
    ['extension', json, 5n, () => 5, NaN, new Date(), Symbol('a')],
    ['extension.a[0]', json, { a: [undefined] }],
  ]
  for (const [name, right, ...wrongValues] of members) {
    for (const wrong of wrongValues) {
      const member = name.replace(/[.[].*/, '')
      test(`a document with ${member} ${inspect(wrong)} is a TypeError: ${right}`, (t) => {
        const message =
          typeof wrong === 'bigint'
            ? `fastify-jwks-auth: option "resource" ${json}`
            : `fastify-jwks-auth: option "resource.${name}" ${right}`
        t.assert.throws(() => read({ resource: { resource: url, [member]: wrong } }), {
          name: 'TypeError',
          message,
        })
      })
    }
  }

  test('a document that contains itself is a TypeError', (t) => {
    t.assert.throws(() => read({ resource: { resource: url, cyclic } }), {
      name: 'TypeError',
      message: `fastify-jwks-auth: option "resource" ${json}`,
    })
  })

  test('serveMetadata is true or false, and needs a resource', (t) => {
    t.assert.throws(() => read({ resource: url, serveMetadata: 'no' }), {
      message: `fastify-jwks-auth: option "serveMetadata" ${boolean}`,
    })
    t.assert.throws(() => read({ serveMetadata: false }), {
      message: 'fastify-jwks-auth: option "serveMetadata" needs the option "resource"',
    })
    t.assert.equal(read({ resource: url, serveMetadata: false })!.isServed, false)
    t.assert.equal(read({ resource: url })!.isServed, true)
  })
})

suite('the document', () => {
  const known = { authorization_servers: ['https://id.example'], bearer_methods_supported: ['header'] }

  for (const right of [
    url,
    'https://api.example',
    'https://api.example/',
    'https://API.example:443/mcp/',
    'HTTPS://api.example/a:b/%7Ec',
    'http://localhost:3000/mcp',
    'http://127.0.0.1:3000',
    'http://[::1]/mcp',
  ]) {
    test(`the resource ${right} is served as exactly this text`, (t) => {
      t.assert.deepEqual(documentOf(right), { resource: right, ...known })
      t.assert.deepEqual(documentOf({ resource: right }), { resource: right, ...known })
    })
  }

  const places: [resource: string, href: string][] = [
    ['https://api.example', 'https://api.example/.well-known/oauth-protected-resource'],
    ['https://api.example/', 'https://api.example/.well-known/oauth-protected-resource'],
    [url, 'https://api.example/.well-known/oauth-protected-resource/mcp'],
    [`${url}/`, 'https://api.example/.well-known/oauth-protected-resource/mcp/'],
    ['https://API.example:443/a"b', 'https://api.example/.well-known/oauth-protected-resource/a%22b'],
    ['http://localhost:3000/a/b', 'http://localhost:3000/.well-known/oauth-protected-resource/a/b'],
  ]
  for (const [resource, href] of places) {
    test(`the metadata of ${resource} is at ${href}`, (t) => {
      t.assert.equal(read({ resource })!.href, href)
    })
  }

  const issuers: [title: string, options: object, servers: string[] | undefined][] = [
    [
      'every listed issuer whose name is a URL, in their order',
      {
        issuers: [
          good,
          { domain: 'a.example', audience: 'b' },
          { issuer: 'acme', jwksUri: 'https://a.example/keys', audience: 'b' },
        ],
      },
      ['https://id.example', 'https://a.example/'],
    ],
    [
      'no issuer if none has a URL',
      { issuers: [{ issuer: 'acme', jwksUri: 'https://a.example/keys', audience: 'b' }] },
      undefined,
    ],
    ['no issuer if a function finds them', { issuers: () => undefined }, undefined],
  ]
  for (const [title, options, servers] of issuers) {
    test(`the document names ${title}`, (t) => {
      const document = readPluginOptions({ ...options, resource: url }).resource!.metadata
      t.assert.deepEqual(document.authorization_servers, servers)
      t.assert.equal('authorization_servers' in document, servers !== undefined)
    })
  }

  test('the document has no bearer_methods_supported with getToken', (t) => {
    t.assert.equal(
      'bearer_methods_supported' in (documentOf(url, { getToken: () => undefined }) as object),
      false,
    )
  })

  test('members that the application gives replace those that the plugin adds', (t) => {
    const own = { authorization_servers: ['https://other.example'], bearer_methods_supported: [] }
    t.assert.deepEqual(documentOf({ resource: url, ...own }), { resource: url, ...own })
  })

  test('members that are undefined are not in the document', (t) => {
    const given = { resource: url, authorization_servers: undefined, resource_name: undefined, x: undefined }
    t.assert.deepEqual(Object.keys(documentOf(given) as object), ['resource', ...Object.keys(known)])
  })

  test('every member that RFC 9728 defines and any other JSON is in the document as it was given', (t) => {
    const own = {
      authorization_servers: ['https://id.example'],
      jwks_uri: 'https://api.example/keys',
      scopes_supported: ['notes:read', 'notes:write'],
      bearer_methods_supported: ['header', 'body', 'query'],
      resource_signing_alg_values_supported: ['RS256'],
      resource_name: 'Notes',
      'resource_name#fr': 'Carnet',
      resource_documentation: 'https://api.example/docs',
      resource_policy_uri: 'https://api.example/policy',
      resource_tos_uri: 'https://api.example/tos',
      'resource_tos_uri#fr': 'https://api.example/fr/tos',
      tls_client_certificate_bound_access_tokens: true,
      authorization_details_types_supported: ['payment'],
      dpop_signing_alg_values_supported: ['ES256'],
      dpop_bound_access_tokens_required: false,
      signed_metadata: 'a.b.c',
      extension: { list: [1, 'two', null, [true]], object: {} },
      'scopes_supported#fr': 'not defined, so of any type',
      constructor: 'a name of Object.prototype',
    }
    t.assert.deepEqual(documentOf({ resource: url, ...own }), { resource: url, ...own })
  })

  test('the document is a frozen copy', (t) => {
    const own = { resource: url, scopes_supported: ['a'], extension: { list: ['a'] } }
    const document = documentOf(own) as typeof own & { bearer_methods_supported: string[] }
    own.scopes_supported.push('b')
    own.extension.list.push('b')
    t.assert.deepEqual([document.scopes_supported, document.extension], [['a'], { list: ['a'] }])
    for (const part of [
      document,
      document.scopes_supported,
      document.extension,
      document.extension.list,
      document.bearer_methods_supported,
    ]) {
      t.assert.equal(Object.isFrozen(part), true)
    }
  })

  test('without resource there is no document', (t) => {
    t.assert.equal(read({}), undefined)
  })
})
