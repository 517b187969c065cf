import { test } from 'node:test'
import { startIssuer } from '../../../demo/issuer.ts'
import { openPage } from '../../../demo/page.ts'
import { call, embedded, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

test('a session at the embedded issuer', { skip }, async (t) => {
  const page = await open(t)
  const demo = await startDemo(t)
  const { options } = embedded(demo)
  const button = (name: string) => page.getByRole('button', { name })
  await logIn(page, demo, 'Ada <b>Lovelace</b>')

  await t.test('the claims of the token are shown, and how long it is good', async (t) => {
    const values = await page.locator('#claims dd').allInnerTexts()
    t.assert.deepEqual(values.slice(0, 4), [
      'Ada <b>Lovelace</b>',
      'read:ping',
      options.issuer,
      options.audience,
    ])
    t.assert.match(await page.getByRole('timer').innerText(), /^0[45]:\d\d$/)
  })

  await t.test('nothing of a token is stored, nor left in the address', async (t) => {
    t.assert.equal(page.url(), `${demo.page}/`)
    const stored = 'localStorage.length + sessionStorage.length + document.cookie.length'
    t.assert.equal(await page.evaluate(stored), 0)
  })

  await t.test('a new token needs no second sign-in', async (t) => {
    const jti = page.locator('#claims dd').last()
    const before = await jti.innerText()
    await button('Get a new one').click()
    await page.getByText(before).waitFor({ state: 'detached' })
    await page.getByText('Logged in as Ada').waitFor()
    t.assert.notEqual(await jti.innerText(), before)
  })

  await t.test('a reload forgets the token', async (t) => {
    await page.reload()
    await page.getByText('You have none yet.').waitFor()
    t.assert.equal(await page.getByRole('radio', { name: 'Your token' }).isDisabled(), true)
  })

  await t.test('who stays signed in at the provider logs in without a word', async () => {
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

  await t.test('a sign-in that is cancelled is said to be', async () => {
    await button('Cancel').click()
    await page.getByText('The provider says: the sign-in was cancelled').waitFor()
    await button('Log in').waitFor()
  })

  await t.test('logging out works where the provider has forgotten the session', async () => {
    await logIn(page, demo)
    await page.context().clearCookies()
    await button('Log out').click()
    await page.getByText('Logged out. This page has forgotten the token.').waitFor()
  })
})

test('a code that was not asked for is not taken', { skip }, async (t) => {
  const page = await open(t, {}, /Failed to load resource: .* 400/)
  const demo = await startDemo(t)
  const { issuer } = embedded(demo).options
  const stray = `${demo.page}/?${new URLSearchParams({ code: 'stray', state: 'x', iss: issuer }).toString()}`

  await t.test('where no login was begun', async (t) => {
    await page.goto(stray)
    await page.getByText('This login was not begun here.').waitFor()
    t.assert.equal(page.url(), `${demo.page}/`)
  })

  await t.test('where another login was begun', async () => {
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await page.goto(stray)
    await page.getByText('unexpected "state" response parameter value').waitFor()
    await page.getByText('You have none yet.').waitFor()
  })

  await t.test('a sign-in that another browser began is said to be over', async () => {
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await page.context().clearCookies()
    await page.reload()
    await page.getByText('This sign-in is over.').waitFor()
  })
})

test('with an other issuer the page offers no expired token', { skip }, async (t) => {
  const page = await open(t)
  await page.clock.install()
  // The issuer is told the page's address before the demo has one.
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

  await t.test('the countdown ends in words', async (t) => {
    await page.clock.fastForward('05:01')
    await page.getByText('The token has expired.').waitFor()
    t.assert.equal(await page.getByRole('timer').innerText(), '00:00')
  })
})
