import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { call, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

suite('accessibility of the page', { skip }, () => {
  test('the page works by keyboard, with a visible focus', async (t) => {
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

    await tabTo(page, 'The token itself')
    await page.keyboard.press('Enter')
    await page.getByText('Only this page').waitFor()
    await tabTo(page, 'own')
    await page.keyboard.press('ArrowDown')
    await tabTo(page, 'GET /secured/ping')
    await page.keyboard.press('Enter')
    await page.getByText('token_invalid_signature').waitFor()

    for (let at = ''; at !== 'Log out'; at = await focused(page)) await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Log out' }).and(page.locator(':focus')).waitFor()
    await page.getByText('You are signed in here as grace.').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Logged out.').waitFor()
  })

  test('the page cuts nothing off and has enough contrast, wide and narrow, light and dark', async (t) => {
    const page = await open(t, { reducedMotion: 'reduce' })
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await inspect(t, page, 'logged out')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Your name').waitFor()
    await inspect(t, page, 'at the provider')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('The provider says').waitFor()
    await inspect(t, page, 'refused')
    await logIn(page, demo, 'a-name-of-as-many-letters-as-a-name-may-')
    await page.getByText('The token itself').click()
    for (const token of ['Your token', 'Tampered token']) await call(page, token, '/secured/ping')
    await inspect(t, page, 'logged in')

    await t.test('the page scrolls to a new answer', async (t) => {
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

/** Presses Tab until the element with this name has the focus. Each element on the way must have a visible outline. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let stops = 0; stops < 15; stops += 1) {
    await page.keyboard.press('Tab')
    if (!(await page.evaluate(outlined))) throw new Error(`no outline at ${await focused(page)}`)
    if ((await focused(page)) === name) return
  }
  throw new Error(`Tab doesn't come to ${name}`)
}

const schemes = { light: 'rgb(238, 242, 243)', dark: 'rgb(14, 20, 22)' }

async function inspect(t: TestContext, page: Page, where: string): Promise<void> {
  // No element is under the mouse.
  await page.mouse.move(0, 0)
  for (const [colorScheme, ground] of Object.entries(schemes) as ['light' | 'dark', string][]) {
    for (const width of [320, 1280]) {
      await t.test(`the page ${where} is readable, ${colorScheme} and ${width} pixels wide`, async (t) => {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 700 })
        t.assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), ground)
        for (const fault of [tooWide, tooLow, pale]) t.assert.deepEqual(await page.evaluate(fault), [])
        const cards = await page.evaluate(columns)
        t.assert.equal(cards, where !== 'at the provider' && width > 1000 ? 2 : 1)
      })
    }
  }
}

/** The text or the value of the element with the focus. */
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

/** Touch targets lower than 44 pixels. */
const tooLow = `[...document.querySelectorAll('button, .choice')]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 44)
  .map((element) => element.textContent)`

/** Texts with a contrast under 4.5 (WCAG 2.2, 1.4.3), except those of disabled elements. */
const pale = `(() => {
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
