import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { files } from './page.ts'

type Middleware = (ctx: KoaContextWithOIDC, next: () => Promise<void>) => Promise<void>

/** What a user sees of the embedded issuer, in the look of the page at the origin `page`. */
export function signIn(provider: Provider, page: string): Middleware {
  return async (ctx, next) => {
    // Signing in and logging out both end on the page, and form-action counts redirects.
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
  // The provider adds the hash of a script of its own to script-src, where it has one.
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self' ${page}; base-uri 'none'; frame-ancestors 'none'`
}

async function interact(provider: Provider, ctx: KoaContextWithOIDC): Promise<void> {
  const { req, res } = ctx
  // The browser has a cookie of each interaction that it is in.
  const interaction = await provider.interactionDetails(req, res).catch(() => undefined)
  if (!interaction)
    return show(ctx, 'Too late', '<p>This sign-in is over. Go back to the page and start again.</p>', 400)

  if (ctx.method !== 'POST') return show(ctx, 'Sign in', signInForm)

  const form = new URLSearchParams(await text(req))
  const accountId = form.get('name')?.trim().slice(0, 40)
  if (form.has('cancel')) {
    await provider.interactionFinished(req, res, {
      error: 'access_denied',
      error_description: 'the sign-in was cancelled',
    })
  } else if (accountId) {
    await provider.interactionFinished(req, res, { login: { accountId } })
  } else {
    show(ctx, 'Sign in', signInForm)
    return
  }
  // The provider has answered by itself.
  ctx.respond = false
}

const signInForm = `
  <p>Any name will do, and there is no password: this provider is part of the demo and ends with it.</p>
  <form method="post">
    <label for="name">Your name</label>
    <input id="name" name="name" required maxlength="40" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus>
    <div class="actions">
      <button class="primary">Sign in</button>
      <button name="cancel" formnovalidate>Cancel</button>
    </div>
  </form>`

export function logoutPage(ctx: KoaContextWithOIDC, form: string): void {
  show(
    ctx,
    'Log out',
    `
  <p>You are signed in here as <strong>${escape(ctx.oidc.session?.accountId ?? '')}</strong>. Log out here as well?</p>
  ${form}
  <div class="actions">
    <button class="primary" form="op.logoutForm" name="logout" value="yes" autofocus>Log out</button>
    <button form="op.logoutForm">Stay signed in</button>
  </div>`,
  )
}

export function loggedOutPage(ctx: KoaContextWithOIDC): void {
  show(ctx, 'Logged out', '<p>You can close this page.</p>')
}

export function errorPage(ctx: KoaContextWithOIDC, { error, error_description: why }: ErrorOut): void {
  const said = `<p><code>${escape(error)}</code></p><p>${escape(why ?? '')}</p>`
  // The provider has decided on the status.
  show(ctx, 'That did not work', said, ctx.status)
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
  <title>${title} · Demo provider</title>
  <link rel="icon" href="/favicon.svg">
  <link rel="stylesheet" href="/style.css">
</head>
<body class="provider">
  <main class="card">
    <p class="where">Demo provider <span>${escape(ctx.host)}</span></p>
    <h1>${title}</h1>
    ${content}
  </main>
</body>
</html>`
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
