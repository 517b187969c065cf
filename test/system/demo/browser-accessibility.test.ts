import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { call, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

suite('accessibility of the page', { skip }, () => {
  test('every step works with the keyboard alone, with visible focus', async (t) => {
    const page = await open(t, {}, /^Failed to load resource: .* 40[13]/)
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await page.getByText(demo.api).waitFor()
    await tabTo(page, 'Log in')
    await page.keyboard.press('Enter')
    await page.getByLabel('Your name').and(page.locator(':focus')).waitFor()
    await page.keyboard.type('grace')
    await page.keyboard.press('Enter')
    await page.getByText('Logged in as grace.').waitFor()

    await tabTo(page, 'own')
    await page.keyboard.press('ArrowDown')
    await tabTo(page, 'GET /secured/ping')
    await page.keyboard.press('Enter')
    await page
      .getByRole('status')
      .filter({ hasText: '401 Unauthorized. The signature no longer fits' })
      .waitFor()
    await tabTo(page, 'GET /reports')
    await page.keyboard.press('Enter')
    await page.locator('#answers', { hasText: 'GET /reports' }).waitFor()
    // The first answer is closed, and this opens it again.
    await tabTo(page, 'GET /secured/ping')
    await page.keyboard.press('Enter')
    await page.locator('#answers > li:nth-child(2) details[open]').waitFor()
    await tabTo(page, 'Copy as curl')
    await tabTo(page, 'JWKS')
    await tabTo(page, 'Encoded token')
    await page.keyboard.press('Enter')
    await page.getByText('in memory only').waitFor()
    await tabTo(page, 'Copy the token')

    for (let at = ''; at !== 'Log out'; at = await focused(page)) await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Log out' }).and(page.locator(':focus')).waitFor()
    await page.getByText('You are logged in to this issuer as grace.').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Logged out.').waitFor()
  })

  test('axe-core finds no fault in any page, in light and dark', async (t) => {
    const page = await open(t, { reducedMotion: 'reduce' }, /^Failed to load resource: .* 40[013]/)
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await page.getByText(demo.api).waitFor()
    await inspect(t, page, 'before logging in')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await inspect(t, page, 'the login of the issuer')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Error from the issuer').waitFor()
    await inspect(t, page, 'after a cancelled login')
    await logIn(page, demo)
    for (const path of ['/ping', '/secured/ping', '/reports']) await call(page, 'Your token', path)
    for (const token of ['Tampered token', 'Expired token', 'Bound token without its key'])
      await call(page, token, '/secured/ping')
    await page.evaluate("document.querySelectorAll('details').forEach((closed) => (closed.open = true))")
    await inspect(t, page, 'with answers')
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByText('You are logged in to this issuer').waitFor()
    await inspect(t, page, 'the logout of the issuer')
    await page.goto(`${new URL(page.url()).origin}/auth?client_id=unknown`)
    await inspect(t, page, 'an error of the issuer')
  })
})

async function inspect(t: TestContext, page: Page, state: string): Promise<void> {
  // Avoids hover styles.
  await page.mouse.move(0, 0)
  for (const colorScheme of ['light', 'dark'] as const) {
    await t.test(`axe-core and the borders find no fault ${state}, in ${colorScheme}`, async (t) => {
      await page.emulateMedia({ colorScheme })
      await page.evaluate(axe)
      const { violations } = (await page.evaluate('axe.run()')) as AxeResults
      const faults = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
      t.assert.deepEqual(faults, [])
      t.assert.deepEqual(await page.evaluate(faintBorders), [])
    })
  }
}

/** Presses Tab until an element with this text has the focus. Every focused element on the way must have an outline. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let stops = 0; stops < 30; stops += 1) {
    await page.keyboard.press('Tab')
    if (!(await page.evaluate(outlined))) throw new Error(`no outline at ${await focused(page)}`)
    if ((await focused(page)).includes(name)) return
  }
  throw new Error(`Tab doesn't reach ${name}`)
}

/** Returns the text or the value of the focused element. */
async function focused(page: Page): Promise<string> {
  const text = await page.evaluate('document.activeElement.innerText || document.activeElement.value')
  return String(text).replaceAll(/\s+/g, ' ').trim()
}

const outlined = `[document.activeElement, document.activeElement.closest('label')].some(
  (element) => element && getComputedStyle(element).outlineStyle !== 'none' && getComputedStyle(element).outlineWidth !== '0px',
)`

/** Controls whose border has a contrast under 3 with what surrounds them (WCAG 2.2, 1.4.11). axe-core doesn't check that. */
const faintBorders = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number)
  const luminance = (color) => {
    const [r, g, b] = channels(color)
      .slice(0, 3)
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    const { backgroundColor } = getComputedStyle(element)
    return channels(backgroundColor)[3] === 0 ? ground(element.parentElement) : backgroundColor
  }
  return [...document.querySelectorAll('button, .choice, input:not([type=radio])')]
    .filter((element) => element.checkVisibility())
    .map((element) => {
      const colors = [getComputedStyle(element).borderTopColor, ground(element.parentElement)]
      const [low, high] = colors.map(luminance).sort((a, b) => a - b)
      return [element.textContent, (high + 0.05) / (low + 0.05)]
    })
    .filter(([, contrast]) => contrast < 3)
})()`
