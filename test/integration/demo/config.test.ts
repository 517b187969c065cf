import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, suite, test } from 'node:test'
import { ConfigError, readConfig } from '../../../demo/config.ts'
import type { Environment } from '../../helpers/demo-process.ts'

// `.env` is read from the working directory. This avoids the `.env` of a developer.
const home = process.cwd()
const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-config-'))
process.chdir(directory)
after(() => {
  process.chdir(home)
  rmSync(directory, { recursive: true })
})
afterEach(() => rmSync('.env', { recursive: true, force: true }))

const example = readFileSync(join(home, '.env.example'), 'utf8')
const domain = 'tenant.example.com'
const issuer = 'https://id.example.com'
const defaults = {
  port: undefined,
  pagePort: undefined,
  issuerPort: undefined,
  origins: undefined,
  issuer: undefined,
  spaClientId: undefined,
}

suite('accepted configurations', () => {
  test('without variables the demo uses the embedded issuer and chooses its ports', async (t) => {
    t.assert.deepEqual(await readConfig({}), defaults)
  })

  test('PORT, PAGE_PORT and ISSUER_PORT are read as numbers', async (t) => {
    t.assert.deepEqual(await readConfig({ PORT: '3001', PAGE_PORT: '3002', ISSUER_PORT: '3003' }), {
      ...defaults,
      port: 3001,
      pagePort: 3002,
      issuerPort: 3003,
    })
  })

  test('CORS_ORIGIN is read as a list of origins', async (t) => {
    const { origins } = await readConfig({ CORS_ORIGIN: 'https://app.example.com, http://localhost:3000' })
    t.assert.deepEqual(origins, ['https://app.example.com', 'http://localhost:3000'])
  })

  test('CORS_ORIGIN=* allows every origin, which is the default', async (t) => {
    t.assert.deepEqual(await readConfig({ CORS_ORIGIN: '*' }), defaults)
  })

  test('AUTH0_SPA_CLIENT_ID with an Auth0 tenant is the client of the page', async (t) => {
    const tenant = { AUTH0_DOMAIN: domain, API_ID: 'my-api' }
    t.assert.deepEqual(await readConfig({ ...tenant, AUTH0_SPA_CLIENT_ID: 'my-page' }), {
      ...defaults,
      issuer: { domain, audience: 'my-api' },
      spaClientId: 'my-page',
    })
  })

  for (const name of ['AUDIENCE', 'API_ID', 'AUTH0_AUDIENCE']) {
    test(`AUTH0_DOMAIN with ${name} configures an Auth0 tenant`, async (t) => {
      const { issuer: configured } = await readConfig({ AUTH0_DOMAIN: domain, [name]: 'my-api' })
      t.assert.deepEqual(configured, { domain, audience: 'my-api' })
    })

    test(`ISSUER with ${name} configures an issuer`, async (t) => {
      const { issuer: configured } = await readConfig({ ISSUER: issuer, [name]: 'my-api' })
      t.assert.deepEqual(configured, { issuer, audience: 'my-api' })
    })
  }

  for (const encoding of ['base64url', 'base64'] as const) {
    test(`AUTH0_CLIENT_SECRET can be encoded as ${encoding}`, async (t) => {
      // Bytes that base64url and base64 encode differently.
      const secret = Buffer.alloc(32, 0xfb)
      const { issuer: configured } = await readConfig({
        AUTH0_DOMAIN: domain,
        AUTH0_CLIENT_ID: 'my-client',
        AUTH0_CLIENT_SECRET: secret.toString(encoding),
      })
      t.assert.deepEqual(configured, { domain, audience: 'my-client', secret })
    })
  }

  test('variables of the environment take precedence over .env', async (t) => {
    writeFileSync('.env', `PORT=3001\nISSUER=${issuer}\nAUTH0_AUDIENCE=from-the-file\n`)
    t.assert.deepEqual(await readConfig({ AUTH0_AUDIENCE: 'from-the-environment' }), {
      ...defaults,
      port: 3001,
      issuer: { issuer, audience: 'from-the-environment' },
    })
  })

  for (const block of example.split('\n\n').filter((part) => /^# \d\./.test(part))) {
    const [title] = block.split('\n')
    test(`.env.example configures an issuer with its block ${title!.slice(2, 24)}`, async (t) => {
      writeFileSync('.env', block.replaceAll(/^# (?=[A-Z0-9_]+=)/gm, ''))
      const { issuer: configured } = await readConfig({})
      t.assert.equal(typeof configured?.audience, 'string')
    })
  }

  test('.env.example names the ports that the demo takes by default', (t) => {
    for (const line of ['PORT=8000', 'PAGE_PORT=8001', 'ISSUER_PORT=8002']) {
      t.assert.equal(example.includes(`# ${line}\n`), true, line)
    }
  })

  test('an empty variable is treated as not set', async (t) => {
    writeFileSync('.env', `ISSUER=${issuer}\nAUTH0_AUDIENCE=my-api\nAUTH0_DOMAIN=\nPORT=\n`)
    t.assert.deepEqual(await readConfig({ AUTH0_AUDIENCE: '', API_ID: '' }), {
      ...defaults,
      issuer: { issuer, audience: 'my-api' },
    })
  })
})

suite('refused configurations', () => {
  const cases: [environment: Environment, message: string][] = [
    [{ ISSUER: issuer }, 'ISSUER is set, but AUDIENCE (or AUTH0_AUDIENCE or API_ID) is missing.'],
    [{ AUTH0_DOMAIN: domain }, 'AUTH0_DOMAIN is set, but AUDIENCE (or AUTH0_AUDIENCE or API_ID) is missing.'],
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
      "AUTH0_CLIENT_ID is set, but AUTH0_CLIENT_SECRET is missing. AUTH0_CLIENT_ID can't be combined with API_ID.",
    ],
    [
      { AUTH0_DOMAIN: domain, API_ID: 'my-api', AUTH0_CLIENT_ID: 'my-client', AUTH0_CLIENT_SECRET: 'c2Vj' },
      "AUTH0_CLIENT_ID can't be combined with API_ID.",
    ],
    [
      { ISSUER: issuer, AUTH0_AUDIENCE: 'my-api', AUTH0_DOMAIN: domain },
      "ISSUER can't be combined with AUTH0_DOMAIN.",
    ],
    [
      { ISSUER: issuer, AUTH0_AUDIENCE: 'my-api', AUTH0_CLIENT_ID: 'my-client' },
      "ISSUER can't be combined with AUTH0_CLIENT_ID.",
    ],
    [
      { AUTH0_DOMAIN: domain, API_ID: 'my-api', AUTH0_AUDIENCE: 'another-api' },
      'AUTH0_AUDIENCE and API_ID are names for the same value, but they differ. Set only one of them.',
    ],
    [
      { ISSUER: issuer, AUDIENCE: 'my-api', AUTH0_AUDIENCE: 'another-api' },
      'AUDIENCE and AUTH0_AUDIENCE are names for the same value, but they differ. Set only one of them.',
    ],
    [
      { AUTH0_DOMAIN: domain, AUTH0_CLIENT_ID: 'my-client', AUTH0_CLIENT_SECRET: 'no secret!' },
      'AUTH0_CLIENT_SECRET must be encoded as base64url.',
    ],
    [{ AUTH0_SPA_CLIENT_ID: 'my-page' }, 'AUTH0_SPA_CLIENT_ID is set, but AUTH0_DOMAIN is missing.'],
    [
      { ISSUER: issuer, AUTH0_AUDIENCE: 'my-api', AUTH0_SPA_CLIENT_ID: 'my-page' },
      "ISSUER can't be combined with AUTH0_SPA_CLIENT_ID.",
    ],
    [
      {
        AUTH0_DOMAIN: domain,
        AUTH0_CLIENT_ID: 'my-client',
        AUTH0_CLIENT_SECRET: 'c2VjcmV0',
        AUTH0_SPA_CLIENT_ID: 'my-page',
      },
      "AUTH0_CLIENT_ID can't be combined with AUTH0_SPA_CLIENT_ID.",
    ],
    ...['app.example.com', 'https://app.example.com/', 'https://app.example.com,'].map(
      (list): [Environment, string] => [
        { CORS_ORIGIN: list },
        'CORS_ORIGIN must be * or a comma-separated list of origins like https://app.example.com (no trailing slash).',
      ],
    ),
    [{ PORT: 'http' }, 'PORT must be a whole number from 0 to 65535.'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535.'],
    [{ PAGE_PORT: '-1' }, 'PAGE_PORT must be a whole number from 0 to 65535.'],
    [{ ISSUER_PORT: '1.5' }, 'ISSUER_PORT must be a whole number from 0 to 65535.'],
  ]
  for (const [environment, message] of cases) {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    test(`the demo refuses the configuration ${variables.join(' ')}`, async (t) => {
      await t.assert.rejects(readConfig(environment), new ConfigError(message))
    })
  }
})
