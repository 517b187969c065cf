import assert from 'node:assert/strict'
import { after } from 'node:test'
import type { TestContext } from 'node:test'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { start } from '../../demo/start.ts'
import type { Running } from '../../demo/start.ts'
import type { Config } from '../../demo/config.ts'
import type { EmbeddedIssuer } from '../../demo/issuer.ts'
import { findProgram } from './program.ts'

const browser = findProgram('chromium', 'chromium-browser', 'google-chrome')

/** The reason to skip tests in a browser, if there is one. */
export const { skip } = browser

let launched: Promise<Browser> | undefined

/** Errors on the consoles of all tests. They are asserted at the end, because a failing hook would skip the other hooks of its test. */
const errors: string[] = []

after(async () => {
  await (await launched)?.close()
  assert.deepEqual(errors, [])
})

/**
 * Opens a page in a browser without cookies or stored data. An error or warning on its console fails the file, unless it matches
 * `expected`. By default these are the lines that the browser writes for answers with 401. Open a page before the demo starts: then it is
 * closed before the demo ends, and doesn't report that the demo is gone.
 */
export async function open(
  t: TestContext,
  options: BrowserContextOptions = {},
  expected = /^Failed to load resource: .* 401/,
): Promise<Page> {
  launched ??= chromium.launch({ executablePath: browser.path })
  const context = await (await launched).newContext(options)
  context.setDefaultTimeout(30_000)
  const page = await context.newPage()
  page.on('pageerror', (error) => errors.push(`${t.name}: ${error.message}`))
  page.on('console', (message) => {
    const bad = ['error', 'warning'].includes(message.type())
    if (bad && !expected.test(message.text())) errors.push(`${t.name}: ${message.text()}`)
  })
  t.after(() => context.close())
  return page
}

export interface Seen {
  method: string | undefined
  url: string | undefined
  origin: string | undefined
  authorization: string | undefined
  asked: string | undefined
}

export interface TestDemo extends Running {
  page: string
  /** The requests that arrived at the API. */
  seen: Seen[]
}

export async function startDemo(t: TestContext, config: Partial<Config> = {}): Promise<TestDemo> {
  const nothing = { origins: undefined, issuer: undefined, spaClientId: undefined }
  const demo = await start({ port: 0, pagePort: 0, issuerPort: 0, ...nothing, ...config })
  t.after(() => demo.close())
  const seen: Seen[] = []
  demo.app.server.on('request', ({ method, url, headers }) => {
    const { origin, authorization, 'access-control-request-headers': asked } = headers
    seen.push({ method, url, origin, authorization, asked: asked?.toString() })
  })
  return { ...demo, page: demo.page!, seen }
}

export function embedded({ issuer }: TestDemo): EmbeddedIssuer {
  if ('tokenEndpoint' in issuer) return issuer
  throw new Error('the issuer is not the embedded one')
}

/** Opens the page of the demo and logs in as `name`. */
export async function logIn(page: Page, { page: address }: TestDemo, name = 'ada'): Promise<void> {
  await page.goto(address)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByLabel('Your name').fill(name)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText(`Logged in as ${name}.`).waitFor()
}

/** Calls the API with the buttons of the page and reads the new answer. Members that the page doesn't show are undefined. */
export async function call(page: Page, token: string, path: string) {
  await page.getByRole('radio', { name: token }).check()
  const newest = page.locator('#answers > li').first()
  // Marks the newest answer. The length of the list doesn't show a new one when the list is full.
  await page.evaluate("document.querySelector('#answers').firstElementChild?.setAttribute('data-old', '')")
  await page.getByRole('button', { name: `GET ${path}` }).click()
  await page.locator('#answers > :first-child:not([data-old])').waitFor()
  const textOf = async (selector: string) => (await newest.locator(selector).allInnerTexts())[0]
  return {
    request: await newest.getByRole('heading').innerText(),
    status: await textOf('.badge'),
    why: await textOf('.why'),
    checks: (await newest.locator('.checks li').allInnerTexts()).map((row) => row.replaceAll('\n', ' ')),
    challenge: await textOf('.challenge'),
    body: await textOf('.body'),
  }
}
