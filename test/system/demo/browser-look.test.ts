import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { call, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'

suite('the look of the page', { skip }, () => {
  test('the page fits wide and narrow windows in light and dark', async (t) => {
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
    for (const summary of ['Other claims', 'Encoded token']) await page.getByText(summary).click()
    for (const token of ['No token', 'Your token', 'Tampered token']) await call(page, token, '/secured/ping')
    await inspect(t, page, 'logged in')

    await t.test('the page scrolls to a new response', async (t) => {
      await page.setViewportSize({ width: 375, height: 500 })
      await call(page, 'Tampered token', '/secured/ping')
      const { y, height } = (await page.locator('#answers summary').first().boundingBox())!
      t.assert.equal(y >= 0 && Math.floor(y + height) <= 500, true)
    })
  })

  test('the places of the page fit the width of the window', async (t) => {
    const page = await open(t, { reducedMotion: 'reduce', viewport: { width: 390, height: 844 } })
    const demo = await startDemo(t)
    await logIn(page, demo)
    const box = async (selector: string) => (await page.locator(selector).first().boundingBox())!
    const choices = async () => {
      const boxes = await Promise.all(
        (await page.locator('.choice').all()).map((choice) => choice.boundingBox()),
      )
      return { columns: new Set(boxes.map((at) => at!.x)).size, rows: new Set(boxes.map((at) => at!.y)).size }
    }

    await t.test(
      'on a phone the calls come before the claims, which fold to sub, scope and aud',
      async (t) => {
        t.assert.equal((await box('#call')).y < (await box('#claims')).y, true)
        t.assert.deepEqual(await page.locator('#claims code').allInnerTexts(), ['sub', 'scope', 'aud'])
        t.assert.equal(await page.locator('#more dl').isVisible(), false)
      },
    )

    await t.test('on a phone an older answer is one line', async (t) => {
      for (let calls = 0; calls < 2; calls += 1) await call(page, 'Tampered token', '/secured/ping')
      const { height } = await box('#answers > li:nth-child(2)')
      t.assert.equal(height < 60, true, `${height} pixels`)
    })

    await t.test('at 820 pixels the choices stand in 2 columns', async (t) => {
      await page.setViewportSize({ width: 820, height: 800 })
      t.assert.deepEqual(await choices(), { columns: 2, rows: 3 })
    })

    await t.test('at 1280 pixels the token stays in view while answers grow', async (t) => {
      await page.setViewportSize({ width: 1280, height: 800 })
      for (let calls = 0; calls < 7; calls += 1) await call(page, 'Tampered token', '/secured/ping')
      await page.evaluate('scrollTo(0, document.body.scrollHeight)')
      const token = await box('#token')
      t.assert.equal(token.x > (await box('#call')).x, true)
      t.assert.equal(token.y >= 0 && token.y + token.height <= 800, true, JSON.stringify(token))
    })
  })

  for (const reducedMotion of ['reduce', 'no-preference'] as const) {
    test(`the page respects prefers-reduced-motion: ${reducedMotion}`, async (t) => {
      const demo = await startDemo(t)
      const page = await open(t, { reducedMotion })
      await page.goto(demo.page)
      await call(page, 'No token', '/ping')
      const style = await page.evaluate(
        "getComputedStyle(document.querySelector('#answers > li')).animationName",
      )
      t.assert.equal(style, reducedMotion === 'reduce' ? 'none' : 'arrive')
    })
  }
})

const schemes = { light: 'rgb(238, 242, 243)', dark: 'rgb(14, 20, 22)' }

async function inspect(t: TestContext, page: Page, state: string): Promise<void> {
  // Avoids hover styles.
  await page.mouse.move(0, 0)
  for (const [colorScheme, ground] of Object.entries(schemes) as ['light' | 'dark', string][]) {
    for (const width of [320, 390, 820, 1280]) {
      await t.test(`the page (${state}) fits in ${colorScheme} mode at ${width} pixels`, async (t) => {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 700 })
        t.assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), ground)
        for (const failures of [tooWide, tooLow]) {
          t.assert.deepEqual(await page.evaluate(failures), [])
        }
      })
    }
  }
}

const tooWide = `[...document.querySelectorAll('body *')]
  .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map((element) => element.outerHTML.slice(0, 80))`

/** Touch targets that are lower than 44 pixels. */
const tooLow = `[...document.querySelectorAll('button, .choice')]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 44)
  .map((element) => element.textContent)`
