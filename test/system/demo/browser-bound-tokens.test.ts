import { test } from 'node:test'
import { call, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'
import { securedBody } from '../../helpers/demo-words.ts'

test('the page calls the API with a bound token, which is refused without its key', { skip }, async (t) => {
  const page = await open(t, { permissions: ['clipboard-read', 'clipboard-write'] })
  const demo = await startDemo(t)
  // Keeps the keys that the page generates, so that the test can try to export them.
  await page.addInitScript(`
    const generate = crypto.subtle.generateKey.bind(crypto.subtle)
    globalThis.generated = []
    crypto.subtle.generateKey = async (...options) => {
      const pair = await generate(...options)
      globalThis.generated.push(pair)
      return pair
    }`)
  await logIn(page, demo)

  await t.test('each request of the page has a new proof', async (t) => {
    for (let calls = 0; calls < 2; calls += 1) {
      const { status, why, body } = await call(page, 'Bound to this browser', '/secured/ping')
      t.assert.deepEqual([status, why, body], ['200 OK', 'The token passed every check.', securedBody])
    }
    t.assert.match(demo.seen.at(-1)?.authorization ?? '', /^DPoP [\w-]+\.[\w-]+\.[\w-]+$/)
    t.assert.match(demo.seen.find(({ method }) => method === 'OPTIONS')?.asked ?? '', /authorization,dpop/)
  })

  await t.test('the curl line of a bound call has the proof that was used', async (t) => {
    await page.getByRole('button', { name: 'Copy as curl' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const line = String(await page.evaluate('navigator.clipboard.readText()'))
    const [, authorization = '', dpop = ''] = /-H 'authorization: (.+?)' -H 'dpop: (.+?)'/.exec(line) ?? []
    const response = await fetch(`${demo.api}/secured/ping`, { headers: { authorization, dpop } })
    t.assert.equal(((await response.json()) as { code: string }).code, 'invalid_dpop_proof')
  })

  await t.test('the bound token as a bearer token is refused', async (t) => {
    const { status, why, body } = await call(page, 'Bound token without its key', '/secured/ping')
    t.assert.equal(status, '401 Unauthorized')
    t.assert.equal(why, 'The token is bound to a key, and the request doesn’t prove that its sender has it.')
    t.assert.match(body ?? '', /"invalid_binding"/)
  })

  await t.test('the browser does not export the key', async (t) => {
    const tried = await page.evaluate(`Promise.all(generated.map(async ({ privateKey }) => [
      privateKey.algorithm.namedCurve,
      privateKey.extractable,
      await crypto.subtle.exportKey('jwk', privateKey).catch((error) => error.name),
    ]))`)
    t.assert.deepEqual(tried, [['P-256', false, 'InvalidAccessError']])
  })
})
