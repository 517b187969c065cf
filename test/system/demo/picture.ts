import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { chromium } from 'playwright-core'
import { start } from '../../../demo/start.ts'
import { findProgram } from '../../helpers/program.ts'

// Makes the pictures of the page in README.md, light and dark: npm run docs:picture

const directory = resolve(import.meta.dirname, '../../../docs/images')
await mkdir(directory, { recursive: true })

const demo = await start({})
const { path: executablePath } = findProgram('chromium', 'chromium-browser', 'google-chrome')
const browser = await chromium.launch({ executablePath })
try {
  const page = await browser.newPage({
    viewport: { width: 1100, height: 1400 },
    reducedMotion: 'reduce',
    locale: 'en-GB',
  })
  await page.goto(demo.page!)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByLabel('Your name').fill('ada')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText('Logged in as ada.').waitFor()
  await page.getByRole('button', { name: 'GET /reports' }).click()
  await page.locator('.badge', { hasText: '403 Forbidden' }).waitFor()
  // Avoids hover styles.
  await page.mouse.move(0, 0)

  const calls = (await page.locator('.bench').boundingBox())!
  const token = (await page.locator('#token').boundingBox())!
  const margin = 16
  const clip = {
    x: calls.x - margin,
    y: calls.y - margin,
    width: token.x + token.width - calls.x + 2 * margin,
    height: Math.max(calls.height, token.height) + 2 * margin,
    scale: 1.25,
  }
  // Playwright's own screenshots have no WebP, which is a third of the size of PNG.
  const chromeDevTools = await page.context().newCDPSession(page)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const shot = { format: 'webp', quality: 45, clip } as const
    const { data } = await chromeDevTools.send('Page.captureScreenshot', shot)
    await writeFile(join(directory, `demo-${colorScheme}.webp`), data, 'base64')
  }
} finally {
  await browser.close()
  await demo.close()
}
