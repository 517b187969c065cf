import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { call, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

suite('accessibility of the page', { skip }, () => {
  test('the page can be used with the keyboard alone, with visible focus', async (t) => {
    const page = await open(t)
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await page.getByText(demo.api).waitFor()
    await tabTo(page, 'Log in')
    await page.keyboard.press('Enter')
    await page.getByLabel('Your name').and(page.locator(':focus')).waitFor()
    await page.keyboard.type('grace')
    await page.keyboard.press('Enter')
    await page.getByText('Logged in as grace.').waitFor()

    await tabTo(page, 'Encoded token')
    await page.keyboard.press('Enter')
    await page.getByText('in memory only').waitFor()
    await tabTo(page, 'own')
    await page.keyboard.press('ArrowDown')
    await tabTo(page, 'GET /secured/ping')
    await page.keyboard.press('Enter')
    await page.getByText('token_invalid_signature').waitFor()

    for (let at = ''; at !== 'Log out'; at = await focused(page)) await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Log out' }).and(page.locator(':focus')).waitFor()
    await page.getByText('You are logged in to this issuer as grace.').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Logged out.').waitFor()
  })

  test('the page fits wide and narrow windows and has enough contrast in light and dark', async (t) => {
    const page = await open(t, { reducedMotion: 'reduce' })
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await inspect(t, page, 'logged out')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await inspect(t, page, 'at the issuer')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Error from the issuer').waitFor()
    await inspect(t, page, 'login cancelled')
    await logIn(page, demo, 'a-name-of-as-many-letters-as-a-name-may-')
    await page.getByText('Encoded token').click()
    for (const token of ['Your token', 'Tampered token']) await call(page, token, '/secured/ping')
    await inspect(t, page, 'logged in')

    await t.test('the page scrolls to a new response', async (t) => {
      await page.setViewportSize({ width: 375, height: 500 })
      await call(page, 'Tampered token', '/secured/ping')
      const { y, height } = (await page.getByRole('listitem').first().boundingBox())!
      t.assert.equal(y >= 0 && Math.floor(y + height) <= 500, true)
    })
  })

  for (const reducedMotion of ['reduce', 'no-preference'] as const) {
    test(`the page respects prefers-reduced-motion: ${reducedMotion}`, async (t) => {
      const demo = await startDemo(t)
      const page = await open(t, { reducedMotion })
      await page.goto(demo.page)
      await call(page, 'No token', '/ping')
      const style = await page.evaluate("getComputedStyle(document.querySelector('.exchange')).animationName")
      t.assert.equal(style, reducedMotion === 'reduce' ? 'none' : 'arrive')
    })
  }
})

/** Presses Tab until the element called `name` has the focus. Every focused element on the way must have an outline. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let stops = 0; stops < 15; stops += 1) {
    await page.keyboard.press('Tab')
    if (!(await page.evaluate(outlined))) throw new Error(`no outline at ${await focused(page)}`)
    if ((await focused(page)) === name) return
  }
  throw new Error(`Tab doesn't reach ${name}`)
}

const schemes = { light: 'rgb(238, 242, 243)', dark: 'rgb(14, 20, 22)' }

async function inspect(t: TestContext, page: Page, state: string): Promise<void> {
  // Avoids hover styles.
  await page.mouse.move(0, 0)
  for (const [colorScheme, ground] of Object.entries(schemes) as ['light' | 'dark', string][]) {
    for (const width of [320, 1280]) {
      await t.test(`the page (${state}) is readable in ${colorScheme} mode at ${width} pixels`, async (t) => {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 700 })
        t.assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), ground)
        for (const failures of [tooWide, tooLow, lowContrast]) {
          t.assert.deepEqual(await page.evaluate(failures), [])
        }
        const cards = await page.evaluate(columns)
        t.assert.equal(cards, state !== 'at the issuer' && width > 1000 ? 2 : 1)
      })
    }
  }
}

/** Returns the text or the value of the focused element. */
async function focused(page: Page): Promise<string> {
  return String(await page.evaluate('document.activeElement.textContent || document.activeElement.value'))
}

const outlined = `[document.activeElement, document.activeElement.closest('label')].some(
  (element) => element && getComputedStyle(element).outlineStyle !== 'none' && getComputedStyle(element).outlineWidth !== '0px',
)`

const tooWide = `[...document.querySelectorAll('body *')]
  .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map((element) => element.outerHTML.slice(0, 80))`

const columns = `new Set([...document.querySelectorAll('main > *')].filter((card) => card.matches('.card, .bench'))
  .map((card) => card.getBoundingClientRect().left)).size || 1`

/** Touch targets that are lower than 44 pixels. */
const tooLow = `[...document.querySelectorAll('button, .choice')]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 44)
  .map((element) => element.textContent)`

/** Texts with a contrast under 4.5 (WCAG 2.2, 1.4.3), except those of disabled controls. */
const lowContrast = `(() => {
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
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && !element.closest(':has(> :disabled), :disabled'))
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => {
      const [low, high] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((a, b) => a - b)
      return [element.textContent.slice(0, 40), (high + 0.05) / (low + 0.05)]
    })
    .filter(([, contrast]) => contrast < 4.5)
})()`
