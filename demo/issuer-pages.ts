import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { files } from './page.ts'

type Middleware = (ctx: KoaContextWithOIDC, next: () => Promise<void>) => Promise<void>

/**
 * Serves the login page of the embedded issuer and the styles of all its pages, and sets their security headers.
 *
 * @param page - The origin of the demo's page, to which the browser returns.
 */
export function issuerPages(provider: Provider, page: string): Middleware {
  return async (ctx, next) => {
    // Logging in and logging out end with a redirect to the page, and form-action applies to redirects as well.
    ctx.set('Content-Security-Policy', policy(page))
    ctx.set('Referrer-Policy', 'no-referrer')
    ctx.set('X-Content-Type-Options', 'nosniff')
    const file = files.get(ctx.path)
    if (file && ctx.path !== '/') {
      ctx.type = file.type
      ctx.body = await readFile(file.url)
    } else if (ctx.path.startsWith('/interaction/')) {
      await interact(provider, ctx)
    } else {
      await next()
    }
  }
}

function policy(page: string): string {
  // oidc-provider adds the hash of its own inline script to script-src, if it needs one.
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self' ${page}; base-uri 'none'; frame-ancestors 'none'`
}

async function interact(provider: Provider, ctx: KoaContextWithOIDC): Promise<void> {
  const { req, res } = ctx
  // oidc-provider finds the interaction by a cookie of this browser.
  const interaction = await provider.interactionDetails(req, res).catch(() => undefined)
  if (!interaction) return show(ctx, 'Login not found', loginNotFound, 400)

  if (ctx.method !== 'POST') return show(ctx, 'Log in', loginForm)

  const form = new URLSearchParams(await text(req))
  const accountId = form.get('name')?.trim().slice(0, 40)
  if (form.has('cancel')) {
    await provider.interactionFinished(req, res, {
      error: 'access_denied',
      error_description: 'the login was cancelled',
    })
  } else if (accountId) {
    // A native client needs the consent of the user, who gives it by logging in.
    await provider.interactionFinished(req, res, { login: { accountId }, consent: {} })
  } else {
    show(ctx, 'Log in', loginForm)
    return
  }
  // `interactionFinished` has sent the response.
  ctx.respond = false
}

const loginNotFound =
  '<p>This login has expired or was started in another browser. Go back to the page and log in again.</p>'

const loginForm = `
  <p>Enter any name. There is no password, because this issuer is part of the demo and stops with it.</p>
  <form method="post">
    <label for="name">Your name</label>
    <input id="name" name="name" required maxlength="40" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus>
    <div class="actions">
      <button class="primary">Log in</button>
      <button name="cancel" formnovalidate>Cancel</button>
    </div>
  </form>`

export function logoutPage(ctx: KoaContextWithOIDC, form: string): void {
  show(
    ctx,
    'Log out',
    `
  <p>You are logged in to this issuer as <strong>${escape(ctx.oidc.session?.accountId ?? '')}</strong>. Do you want to log out here as well?</p>
  ${form}
  <div class="actions">
    <button class="primary" form="op.logoutForm" name="logout" value="yes" autofocus>Log out</button>
    <button form="op.logoutForm">Stay logged in</button>
  </div>`,
  )
}

export function loggedOutPage(ctx: KoaContextWithOIDC): void {
  show(ctx, 'Logged out', '<p>You can close this page.</p>')
}

export function errorPage(
  ctx: KoaContextWithOIDC,
  { error, error_description: description }: ErrorOut,
): void {
  const content = `<p><code>${escape(error)}</code></p><p>${escape(description ?? '')}</p>`
  // oidc-provider has set the status.
  show(ctx, 'The request failed', content, ctx.status)
}

interface ErrorOut {
  error: string
  error_description?: string | undefined
}

function show(ctx: KoaContextWithOIDC, title: string, content: string, status = 200): void {
  ctx.status = status
  ctx.set('Cache-Control', 'no-store')
  ctx.type = 'html'
  ctx.body = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>${title} · Demo issuer</title>
  <link rel="icon" href="/favicon.svg">
  <link rel="stylesheet" href="/style.css">
</head>
<body class="provider">
  <main class="card">
    <p class="where">Demo issuer <span>${escape(ctx.host)}</span></p>
    <h1>${title}</h1>
    ${content}
  </main>
</body>
</html>`
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
