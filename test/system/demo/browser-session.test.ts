import { test } from 'node:test'
import { startIssuer } from '../../../demo/issuer.ts'
import { openPage } from '../../../demo/page.ts'
import { call, embedded, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

test('a user can log in to the embedded issuer, get a new token and log out', { skip }, async (t) => {
  const page = await open(t)
  const demo = await startDemo(t)
  const { options } = embedded(demo)
  const button = (name: string) => page.getByRole('button', { name })
  await logIn(page, demo, 'Ada <b>Lovelace</b>')

  await t.test('the page shows the claims and the remaining lifetime of the token', async (t) => {
    const main = await page.locator('#claims dd').allInnerTexts()
    t.assert.deepEqual(main, ['Ada <b>Lovelace</b>', 'read:ping', options.audience])
    t.assert.equal(await page.locator('#more dd').first().textContent(), options.issuer)
    t.assert.match(await page.getByRole('timer').innerText(), /^0[45]:\d\d$/)
  })

  await t.test('the page stores no token and leaves no code in the URL', async (t) => {
    t.assert.equal(page.url(), `${demo.page}/`)
    const stored = 'localStorage.length + sessionStorage.length + document.cookie.length'
    t.assert.equal(await page.evaluate(stored), 0)
  })

  await t.test('a new token needs no second login at the issuer', async (t) => {
    const jti = page.locator('#more dd').last()
    const before = (await jti.textContent())!
    await button('Get a new token').click()
    await page.getByText(before).waitFor({ state: 'detached' })
    await page.getByText('Logged in as Ada').waitFor()
    t.assert.notEqual(await jti.textContent(), before)
  })

  await t.test('a reload removes the token', async (t) => {
    await page.reload()
    await page.getByText('You are not logged in.').waitFor()
    t.assert.equal(await page.getByRole('radio', { name: 'Your token' }).isDisabled(), true)
    t.assert.equal(await page.getByText('Log in first').count(), 4)
  })

  await t.test('a user who is still logged in at the issuer logs in to the page without a form', async () => {
    await button('Log in').click()
    await button('Log out').click()
    await button('Stay logged in').click()
    await page.getByText('The page has deleted the token.').waitFor()
    await button('Log in').click()
    await page.getByText('Logged in as Ada').waitFor()
  })

  await t.test('logging out ends the session at the issuer', async (t) => {
    await button('Log out').click()
    await page.getByText('You are logged in to this issuer as Ada <b>Lovelace</b>.').waitFor()
    await button('Log out').click()
    await page.getByText('Logged out. The page has deleted the token.').waitFor()
    t.assert.equal(page.url(), `${demo.page}/`)
    await button('Log in').click()
    await page.getByLabel('Your name').waitFor()
  })

  await t.test('the page reports a cancelled login', async () => {
    await button('Cancel').click()
    await page.getByText('Error from the issuer: the login was cancelled').waitFor()
    await button('Log in').waitFor()
  })

  await t.test('logging out works without a session at the issuer', async () => {
    await logIn(page, demo)
    await page.context().clearCookies()
    await button('Log out').click()
    await page.getByText('Logged out. The page has deleted the token.').waitFor()
  })
})

test('the page refuses an unexpected authorization code', { skip }, async (t) => {
  const page = await open(t, {}, /Failed to load resource: .* 400/)
  const demo = await startDemo(t)
  const { issuer } = embedded(demo).options
  const stray = `${demo.page}/?${new URLSearchParams({ code: 'stray', state: 'x', iss: issuer }).toString()}`

  await t.test('the page refuses a code if no login was started', async (t) => {
    await page.goto(stray)
    await page.getByText('This login was not started in this tab.').waitFor()
    t.assert.equal(page.url(), `${demo.page}/`)
  })

  await t.test('the page refuses a code with the state of another login', async () => {
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await page.goto(stray)
    await page.getByText('unexpected "state" response parameter value').waitFor()
    await page.getByText('You are not logged in.').waitFor()
  })

  await t.test('the issuer refuses to continue a login of another browser', async () => {
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await page.context().clearCookies()
    await page.reload()
    await page.getByText('This login has expired or was started in another browser.').waitFor()
  })
})

test('with a configured issuer the page offers no expired and no bound token', { skip }, async (t) => {
  const page = await open(t)
  await page.clock.install()
  // The issuer needs the URL of the page before the demo starts, so a free port is chosen here.
  const reserved = await openPage(0)
  await reserved.close()
  const issuer = await startIssuer(reserved.origin)
  t.after(() => issuer.close())
  const demo = await startDemo(t, {
    pagePort: Number(new URL(reserved.origin).port),
    issuer: issuer.options,
    spaClientId: issuer.spaClientId,
  })
  await logIn(page, demo)
  t.assert.equal((await call(page, 'Your token', '/secured/ping')).status, '200 OK')
  t.assert.equal((await call(page, 'Tampered token', '/secured/ping')).status, '401 Unauthorized')
  t.assert.equal(await page.getByText('Expired token').isVisible(), false)
  t.assert.equal(await page.locator('#bound, #copied').filter({ visible: true }).count(), 0)

  await t.test('the page reports that the token has expired', async (t) => {
    await page.clock.fastForward('05:01')
    await page.getByText('Your token has expired').waitFor()
    t.assert.equal(await page.getByRole('timer').innerText(), '00:00')
  })
})
