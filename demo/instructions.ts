import type { OwnIssuer } from './config.ts'
import type { EmbeddedIssuer } from './issuer.ts'
import { issuerOf } from './start.ts'
import type { Running } from './start.ts'

// No comments among the lines to paste: an interactive zsh would take them for commands.
// `-w '\n'` ends each answer with a newline, which the bodies don't have.
const curl = String.raw`curl -i -w '\n'`

/** What the demo says about itself once it listens. */
export function instructions({ api, page, issuer }: Running): string {
  const embedded = 'tokenEndpoint' in issuer
  return `
The API listens on ${api}

  GET /ping          everyone may call it
  GET /secured/ping  only with an access token

${aboutPage(page, issuer)}${embedded ? aboutEmbedded(issuer) : aboutOwn(issuer)}

  ${curl} ${api}/ping
  ${curl} ${api}/secured/ping
  TOKEN=${embedded ? getToken(issuer) : 'PASTE_YOUR_TOKEN_HERE'}
  ${curl} -H "Authorization: Bearer $TOKEN" ${api}/secured/ping

Ctrl+C stops it.
`
}

function aboutPage(page: string | undefined, issuer: EmbeddedIssuer | OwnIssuer): string {
  if (page) return `In a browser: ${page}\n\n`
  const canHaveOne = 'domain' in issuer && !('secret' in issuer)
  return canHaveOne ? 'With AUTH0_SPA_CLIENT_ID there is a page to try it in a browser.\n\n' : ''
}

function aboutEmbedded({ options }: EmbeddedIssuer): string {
  return `Tokens come from an OpenID provider in this process, ${options.issuer}
and are made for the audience ${options.audience}
It is for trying only: its keys, clients and sessions live only as long as this process.
.env.example shows how to use an issuer of your own.

Paste these lines into another shell:`
}

function aboutOwn(own: OwnIssuer): string {
  const signed = 'secret' in own ? ', signed with its client secret (HS256)' : ''
  return `Tokens must come from ${issuerOf(own)}${signed}
and be made for the audience ${own.audience}

Put a token of yours in place of PASTE_YOUR_TOKEN_HERE:`
}

function getToken({ tokenEndpoint, clientId, clientSecret }: EmbeddedIssuer): string {
  // sed, since not everyone has jq.
  const pick = String.raw`sed 's/.*"access_token":"\([^"]*\)".*/\1/'`
  return `$(curl -sS -u ${clientId}:${clientSecret} -d grant_type=client_credentials ${tokenEndpoint} | ${pick})`
}
