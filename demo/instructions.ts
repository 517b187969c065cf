import type { ConfiguredIssuer } from './config.ts'
import type { EmbeddedIssuer } from './issuer.ts'
import { issuerIdentifier } from './start.ts'
import type { Running } from './start.ts'

// The lines to paste contain no comments, because an interactive zsh would run them as commands.
// `-w '\n'` adds the newline that the response bodies don't end with.
const curl = String.raw`curl -i -w '\n'`

/** The text that the demo prints when it is ready. It fits a terminal of 80 columns and 24 rows, below npm's 4 rows. */
export function instructions({ api, page, issuer }: Running): string {
  const embedded = 'tokenEndpoint' in issuer
  return `The API listens on ${api}
  GET /ping          needs no access token
  GET /secured/ping  needs an access token
  GET /reports       needs an access token with the scope read:reports

${aboutPage(page, issuer)}
${embedded ? aboutEmbedded(issuer) : aboutConfigured(issuer)}
  ${curl} ${api}/ping
  ${curl} ${api}/secured/ping
  TOKEN=${embedded ? getToken(issuer) : 'PASTE_YOUR_TOKEN_HERE'}
  ${curl} -H "Authorization: Bearer $TOKEN" ${api}/secured/ping

Press Ctrl+C to stop the demo.${embedded ? ' To use your own issuer, see .env.example.' : ''}`
}

function aboutPage(page: string | undefined, issuer: EmbeddedIssuer | ConfiguredIssuer): string {
  if (page) return `To try it in a browser, open ${page}\n`
  const canHavePage = 'domain' in issuer && !('secret' in issuer)
  return canHavePage ? 'To try it in a browser, set AUTH0_SPA_CLIENT_ID (see .env.example).\n' : ''
}

function aboutEmbedded({ options }: EmbeddedIssuer): string {
  return `Issuer:   ${options.issuer} (part of this demo, new keys at each start)
Audience: ${options.audience}

To try it in a shell, paste these lines into another terminal:`
}

function aboutConfigured(issuer: ConfiguredIssuer): string {
  const hasSecret = 'secret' in issuer
  return `Issuer:   ${issuerIdentifier(issuer)}${hasSecret ? ' (signs with the client secret, HS256)' : ''}
Audience: ${issuer.audience}

To try it in a shell, replace PASTE_YOUR_TOKEN_HERE with ${hasSecret ? 'a token' : 'an access token'} from this issuer
and paste these lines into another terminal:`
}

function getToken({ tokenEndpoint, clientId, clientSecret }: EmbeddedIssuer): string {
  // sed, because jq is often not installed.
  const pick = String.raw`sed 's/.*"access_token":"\([^"]*\)".*/\1/'`
  return `$(curl -sS -u ${clientId}:${clientSecret} -d grant_type=client_credentials ${tokenEndpoint} | ${pick})`
}
