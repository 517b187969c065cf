import { test } from 'node:test'
import { startIssuer } from '../../../demo/issuer.ts'
import { openPage } from '../../../demo/page.ts'
import { call, embedded, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

test('a user logs in and out at the embedded issuer', { skip }, async (t) => {
  const page = await open(t)
  const demo = await startDemo(t)
  const { options } = embedded(demo)
  const button = (name: string) => page.getByRole('button', { name })
  await logIn(page, demo, 'Ada <b>Lovelace</b>')

  await t.test('the page shows the claims of the token and its remaining time', async (t) => {
    const values = await page.locator('#claims dd').allInnerTexts()
    t.assert.deepEqual(values.slice(0, 4), [
      'Ada <b>Lovelace</b>',
      'read:ping',
      options.issuer,
      options.audience,
    ])
    t.assert.match(await page.getByRole('timer').innerText(), /^0[45]:\d\d$/)
  })

  await t.test('the page stores no token and leaves none in its URL', async (t) => {
    t.assert.equal(page.url(), `${demo.page}/`)
    const stored = 'localStorage.length + sessionStorage.length + document.cookie.length'
    t.assert.equal(await page.evaluate(stored), 0)
  })

  await t.test('the page gets a new token without a second sign-in', async (t) => {
    const jti = page.locator('#claims dd').last()
    const before = await jti.innerText()
    await button('Get a new one').click()
    await page.getByText(before).waitFor({ state: 'detached' })
    await page.getByText('Logged in as Ada').waitFor()
    t.assert.notEqual(await jti.innerText(), before)
  })

  await t.test('the page forgets the token on reload', async (t) => {
    await page.reload()
    await page.getByText('You have none yet.').waitFor()
    t.assert.equal(await page.getByRole('radio', { name: 'Your token' }).isDisabled(), true)
  })

  await t.test('a user who stays signed in at the provider logs in without a form', async () => {
    await button('Log in').click()
    await button('Log out').click()
    await button('Stay signed in').click()
    await page.getByText('This page has forgotten the token.').waitFor()
    await button('Log in').click()
    await page.getByText('Logged in as Ada').waitFor()
  })

  await t.test('logging out ends the session at the provider', async (t) => {
    await button('Log out').click()
    await page.getByText('You are signed in here as Ada <b>Lovelace</b>.').waitFor()
    await button('Log out').click()
    await page.getByText('Logged out. This page has forgotten the token.').waitFor()
    t.assert.equal(page.url(), `${demo.page}/`)
    await button('Log in').click()
    await page.getByLabel('Your name').waitFor()
  })

  await t.test('the page says that a sign-in was cancelled', async () => {
    await button('Cancel').click()
    await page.getByText('The provider says: the sign-in was cancelled').waitFor()
    await button('Log in').waitFor()
  })

  await t.test('logging out works after the provider has forgotten the session', async () => {
    await logIn(page, demo)
    await page.context().clearCookies()
    await button('Log out').click()
    await page.getByText('Logged out. This page has forgotten the token.').waitFor()
  })
})

test('the page accepts no authorization code that it did not request', { skip }, async (t) => {
  const page = await open(t, {}, /Failed to load resource: .* 400/)
  const demo = await startDemo(t)
  const { issuer } = embedded(demo).options
  const stray = `${demo.page}/?${new URLSearchParams({ code: 'stray', state: 'x', iss: issuer }).toString()}`

  await t.test('a stray code is refused if no login was started', async (t) => {
    await page.goto(stray)
    await page.getByText('This login was not begun here.').waitFor()
    t.assert.equal(page.url(), `${demo.page}/`)
  })

  await t.test('a stray code is refused if another login was started', async () => {
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await page.goto(stray)
    await page.getByText('unexpected "state" response parameter value').waitFor()
    await page.getByText('You have none yet.').waitFor()
  })

  await t.test('the provider says that a sign-in of another browser is over', async () => {
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await page.context().clearCookies()
    await page.reload()
    await page.getByText('This sign-in is over.').waitFor()
  })
})

test('the page offers no expired token with another issuer', { skip }, async (t) => {
  const page = await open(t)
  await page.clock.install()
  // The issuer needs the origin of the page before the demo starts.
  const place = await openPage(0)
  await place.close()
  const issuer = await startIssuer(place.origin)
  t.after(() => issuer.close())
  const demo = await startDemo(t, {
    pagePort: Number(new URL(place.origin).port),
    own: issuer.options,
    spaClientId: issuer.spaClientId,
  })
  await logIn(page, demo)
  t.assert.equal((await call(page, 'Your token', '/secured/ping')).status, '200 OK')
  t.assert.equal((await call(page, 'Tampered token', '/secured/ping')).status, '401 Unauthorized')
  t.assert.equal(await page.getByText('Expired token').isVisible(), false)

  await t.test('the countdown ends with the words that the token has expired', async (t) => {
    await page.clock.fastForward('05:01')
    await page.getByText('The token has expired.').waitFor()
    t.assert.equal(await page.getByRole('timer').innerText(), '00:00')
  })
})
