import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, suite, test } from 'node:test'
import { ConfigError, readConfig } from '../../../demo/config.ts'
import type { Environment } from '../../helpers/demo-process.ts'

// `.env` is read from the working directory. The working directory of a developer may have one.
const home = process.cwd()
const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-config-'))
process.chdir(directory)
after(() => {
  process.chdir(home)
  rmSync(directory, { recursive: true })
})
afterEach(() => rmSync('.env', { recursive: true, force: true }))

const domain = 'tenant.example.com'
const issuer = 'https://id.example.com'
const nothing = {
  port: 8000,
  pagePort: undefined,
  origins: undefined,
  own: undefined,
  spaClientId: undefined,
}

suite('a good configuration', () => {
  test('an empty configuration means the embedded issuer and port 8000', async (t) => {
    t.assert.deepEqual(await readConfig({}), nothing)
  })

  test('PORT and PAGE_PORT are read as numbers', async (t) => {
    t.assert.deepEqual(await readConfig({ PORT: '3001', PAGE_PORT: '3002' }), {
      ...nothing,
      port: 3001,
      pagePort: 3002,
    })
  })

  test('CORS_ORIGIN is read as a list of origins', async (t) => {
    const { origins } = await readConfig({ CORS_ORIGIN: 'https://app.example.com, http://localhost:3000' })
    t.assert.deepEqual(origins, ['https://app.example.com', 'http://localhost:3000'])
  })

  test('CORS_ORIGIN=* allows every origin, like no CORS_ORIGIN', async (t) => {
    t.assert.deepEqual(await readConfig({ CORS_ORIGIN: '*' }), nothing)
  })

  test('AUTH0_SPA_CLIENT_ID with a tenant of Auth0 is the client of the page', async (t) => {
    const tenant = { AUTH0_DOMAIN: domain, API_ID: 'my-api' }
    t.assert.deepEqual(await readConfig({ ...tenant, AUTH0_SPA_CLIENT_ID: 'my-page' }), {
      ...nothing,
      own: { domain, audience: 'my-api' },
      spaClientId: 'my-page',
    })
  })

  for (const name of ['API_ID', 'AUTH0_AUDIENCE']) {
    test(`AUTH0_DOMAIN with ${name} is a tenant of Auth0`, async (t) => {
      const { own } = await readConfig({ AUTH0_DOMAIN: domain, [name]: 'my-api' })
      t.assert.deepEqual(own, { domain, audience: 'my-api' })
    })

    test(`ISSUER with ${name} is any issuer`, async (t) => {
      const { own } = await readConfig({ ISSUER: issuer, [name]: 'my-api' })
      t.assert.deepEqual(own, { issuer, audience: 'my-api' })
    })
  }

  for (const encoding of ['base64url', 'base64'] as const) {
    test(`AUTH0_CLIENT_SECRET may be ${encoding}`, async (t) => {
      // Bytes for which the two encodings differ.
      const secret = Buffer.alloc(32, 0xfb)
      const { own } = await readConfig({
        AUTH0_DOMAIN: domain,
        AUTH0_CLIENT_ID: 'my-client',
        AUTH0_CLIENT_SECRET: secret.toString(encoding),
      })
      t.assert.deepEqual(own, { domain, audience: 'my-client', secret })
    })
  }

  test('the environment overrides .env', async (t) => {
    writeFileSync('.env', `PORT=3001\nISSUER=${issuer}\nAUTH0_AUDIENCE=of-the-file\n`)
    t.assert.deepEqual(await readConfig({ AUTH0_AUDIENCE: 'of-the-environment' }), {
      ...nothing,
      port: 3001,
      own: { issuer, audience: 'of-the-environment' },
    })
  })

  test('an empty variable is treated as not set', async (t) => {
    writeFileSync('.env', `ISSUER=${issuer}\nAUTH0_AUDIENCE=my-api\nAUTH0_DOMAIN=\nPORT=\n`)
    t.assert.deepEqual(await readConfig({ AUTH0_AUDIENCE: '', API_ID: '' }), {
      ...nothing,
      own: { issuer, audience: 'my-api' },
    })
  })
})

suite('a wrong configuration', () => {
  const cases: [environment: Environment, sentence: string][] = [
    [{ ISSUER: issuer }, 'ISSUER is set, but AUTH0_AUDIENCE (or API_ID) is missing.'],
    [{ AUTH0_DOMAIN: domain }, 'AUTH0_DOMAIN is set, but API_ID (or AUTH0_AUDIENCE) is missing.'],
    [{ API_ID: 'my-api' }, 'API_ID is set, but AUTH0_DOMAIN (or ISSUER) is missing.'],
    [{ AUTH0_AUDIENCE: 'my-api' }, 'AUTH0_AUDIENCE is set, but AUTH0_DOMAIN (or ISSUER) is missing.'],
    [
      { AUTH0_CLIENT_ID: 'my-client', AUTH0_CLIENT_SECRET: 'c2VjcmV0' },
      'AUTH0_CLIENT_ID is set, but AUTH0_DOMAIN is missing.',
    ],
    [
      { AUTH0_DOMAIN: domain, AUTH0_CLIENT_ID: 'my-client' },
      'AUTH0_CLIENT_ID is set, but AUTH0_CLIENT_SECRET is missing.',
    ],
    [
      { AUTH0_DOMAIN: domain, AUTH0_CLIENT_SECRET: 'c2VjcmV0' },
      'AUTH0_CLIENT_SECRET is set, but AUTH0_CLIENT_ID is missing.',
    ],
    [
      { AUTH0_CLIENT_SECRET: 'c2VjcmV0' },
      'AUTH0_CLIENT_SECRET is set, but AUTH0_CLIENT_ID and AUTH0_DOMAIN are missing.',
    ],
    [
      { AUTH0_DOMAIN: domain, API_ID: 'my-api', AUTH0_CLIENT_ID: 'my-client' },
      "AUTH0_CLIENT_ID is set, but AUTH0_CLIENT_SECRET is missing, and API_ID can't be set beside it.",
    ],
    [
      { AUTH0_DOMAIN: domain, API_ID: 'my-api', AUTH0_CLIENT_ID: 'my-client', AUTH0_CLIENT_SECRET: 'c2Vj' },
      "AUTH0_CLIENT_ID is set, but API_ID can't be set beside it.",
    ],
    [
      { ISSUER: issuer, AUTH0_AUDIENCE: 'my-api', AUTH0_DOMAIN: domain },
      "ISSUER is set, but AUTH0_DOMAIN can't be set beside it.",
    ],
    [
      { ISSUER: issuer, AUTH0_AUDIENCE: 'my-api', AUTH0_CLIENT_ID: 'my-client' },
      "ISSUER is set, but AUTH0_CLIENT_ID can't be set beside it.",
    ],
    [
      { AUTH0_DOMAIN: domain, API_ID: 'my-api', AUTH0_AUDIENCE: 'another-api' },
      'API_ID and AUTH0_AUDIENCE are two names of one value, but differ: set one of them.',
    ],
    [
      { AUTH0_DOMAIN: domain, AUTH0_CLIENT_ID: 'my-client', AUTH0_CLIENT_SECRET: 'no secret!' },
      'AUTH0_CLIENT_SECRET is not base64url.',
    ],
    [{ AUTH0_SPA_CLIENT_ID: 'my-page' }, 'AUTH0_SPA_CLIENT_ID is set, but AUTH0_DOMAIN is missing.'],
    [
      { ISSUER: issuer, AUTH0_AUDIENCE: 'my-api', AUTH0_SPA_CLIENT_ID: 'my-page' },
      "ISSUER is set, but AUTH0_SPA_CLIENT_ID can't be set beside it.",
    ],
    [
      {
        AUTH0_DOMAIN: domain,
        AUTH0_CLIENT_ID: 'my-client',
        AUTH0_CLIENT_SECRET: 'c2VjcmV0',
        AUTH0_SPA_CLIENT_ID: 'my-page',
      },
      "AUTH0_CLIENT_ID is set, but AUTH0_SPA_CLIENT_ID can't be set beside it.",
    ],
    ...['app.example.com', 'https://app.example.com/', 'https://app.example.com,'].map(
      (list): [Environment, string] => [
        { CORS_ORIGIN: list },
        'CORS_ORIGIN must be origins like https://app.example.com, with commas between.',
      ],
    ),
    [{ PORT: 'http' }, 'PORT must be a whole number from 0 to 65535.'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535.'],
    [{ PAGE_PORT: '-1' }, 'PAGE_PORT must be a whole number from 0 to 65535.'],
  ]
  for (const [environment, sentence] of cases) {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    test(`${variables.join(' ')} is an error that says what is wrong`, async (t) => {
      await t.assert.rejects(readConfig(environment), new ConfigError(sentence))
    })
  }
})
