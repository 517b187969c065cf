import { test } from 'node:test'
import { call, embedded, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

const expectedErrors = /^Failed to load resource: .* 40[13]/

test(
  'the page explains each answer by the key, the times, the audience and the scope',
  { skip },
  async (t) => {
    const page = await open(t, {}, expectedErrors)
    const demo = await startDemo(t)
    await logIn(page, demo)
    const { issuer, audience } = embedded(demo).options
    const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: { kid: string }[] }
    const jwks = `key ${keys[0]!.kid} of the issuer’s JWKS`
    const signature = `✓ Signature passed: fits ${jwks}`
    const aud = `✓ Audience passed: aud is ${audience}, this API`
    const skipped = (name: string) => `– ${name} not checked`

    const rows: [token: string, path: string, why: string, checks: (string | RegExp)[]][] = [
      ['No token', '/ping', 'This route is public. The API looks at no token.', []],
      ['Tampered token', '/ping', 'This route is public. The API looks at no token.', []],
      ['No token', '/secured/ping', 'The request carries no access token.', []],
      [
        'Your token',
        '/secured/ping',
        'The token passed every check.',
        [signature, /^✓ Expiry passed: valid until /, aud, '✓ Scope passed: this route requires none'],
      ],
      [
        'Tampered token',
        '/secured/ping',
        'The signature no longer fits: a claim was changed.',
        [`✗ Signature failed: doesn’t fit ${jwks}`, ...['Expiry', 'Audience', 'Scope'].map(skipped)],
      ],
      [
        'Expired token',
        '/secured/ping',
        'The token is genuine, but its time is over.',
        [signature, /^✗ Expiry failed: expired at /, ...['Audience', 'Scope'].map(skipped)],
      ],
      [
        'Your token',
        '/reports',
        'The token is valid, but its scope doesn’t allow this call.',
        [
          signature,
          /^✓ Expiry passed: valid until /,
          aud,
          '✗ Scope failed: read:reports is missing, the token has read:ping',
        ],
      ],
    ]
    for (const [token, path, why, checks] of rows) {
      await t.test(`the page explains the answer of ${path} to: ${token}`, async (t) => {
        const answer = await call(page, token, path)
        t.assert.equal(answer.why, why)
        t.assert.equal(answer.checks.length, checks.length)
        for (const [index, check] of checks.entries()) {
          if (check instanceof RegExp) t.assert.match(answer.checks[index]!, check)
          else t.assert.equal(answer.checks[index], check)
        }
      })
    }

    await t.test('only the newest answer is open, and an older one opens', async (t) => {
      const answers = page.locator('#answers > li')
      t.assert.equal(await answers.locator('details[open]').count(), 1)
      t.assert.equal(await answers.first().locator('.content').isVisible(), true)
      await answers.nth(1).locator('summary').click()
      await answers.nth(1).getByText('its time is over').waitFor()
    })

    await t.test('a 403 names the missing scope, and the page gets a token that has it', async (t) => {
      const refused = await call(page, 'Your token', '/reports')
      const metadata = `resource_metadata="${demo.api}/.well-known/oauth-protected-resource"`
      t.assert.equal(refused.status, '403 Forbidden')
      t.assert.equal(
        refused.challenge,
        `Bearer realm="api", error="insufficient_scope", scope="read:reports", ${metadata}, ` +
          `DPoP realm="api", scope="read:reports", algs="ES256", ${metadata}`,
      )
      const before = await page.locator('#raw').textContent()
      await page.getByRole('button', { name: 'Get a token with read:reports' }).click()
      await page.locator('#answers > li').first().waitFor({ state: 'detached' })
      await page.getByText('Logged in as ada.').waitFor()
      t.assert.notEqual(await page.locator('#raw').textContent(), before)

      const accepted = await call(page, 'Your token', '/reports')
      t.assert.equal(accepted.status, '200 OK')
      t.assert.equal(
        accepted.checks.at(-1),
        '✓ Scope passed: read:reports is required, the token has read:ping read:reports',
      )
    })
  },
)

test('the page names both audiences when they differ', { skip }, async (t) => {
  const page = await open(t)
  await page.goto((await startDemo(t)).page)
  const claims = { exp: 0, aud: ['other-api', 'third-api'] }
  const made = {
    path: '/reports',
    token: { kid: 'one', claims },
    audience: 'my-api',
    ok: false,
    code: 'invalid_audience',
  }
  const checks = (await page.evaluate(
    `import('/explain.js').then(({ checks }) => checks(${JSON.stringify(made)}))`,
  )) as { name: string; result: string; text: string }[]
  t.assert.deepEqual(checks[2], {
    name: 'Audience',
    result: 'failed',
    text: '`aud` is `other-api third-api`, not `my-api`',
  })
  t.assert.equal(checks[3]?.result, 'skipped')
})

test('the token and each call can be copied', { skip }, async (t) => {
  const page = await open(t, { permissions: ['clipboard-read', 'clipboard-write'] })
  const demo = await startDemo(t)
  await logIn(page, demo)
  const copied = async () => String(await page.evaluate('navigator.clipboard.readText()'))

  await page.getByRole('button', { name: 'Copy the token' }).click()
  await page.locator('#spoken', { hasText: 'Copied' }).waitFor()
  const token = await copied()
  t.assert.equal(token, await page.locator('#raw').textContent())

  await call(page, 'Your token', '/secured/ping')
  await page.getByRole('button', { name: 'Copy as curl' }).click()
  await page.getByRole('button', { name: 'Copied' }).last().waitFor()
  const command = `curl -i -w '\\n' -H 'Authorization: Bearer ${token}' ${demo.api}/secured/ping`
  t.assert.equal(await copied(), command)

  await call(page, 'No token', '/ping')
  await page.getByRole('button', { name: 'Copy as curl' }).click()
  await page.getByRole('button', { name: 'Copied' }).last().waitFor()
  t.assert.equal(await copied(), `curl -i -w '\\n' ${demo.api}/ping`)
})
