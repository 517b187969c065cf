import { metadataUrls } from '../jwks/discovery.ts'
import { isTrustworthy } from '../jwks/urls.ts'
import { assertNonEmptyString, invalidOption, list } from './assert.ts'

type Options = Record<string, unknown>

/** Maximum number of JWK Sets of an issuer. */
const maxJwksUris = 10

export interface IssuerUrls {
  readonly issuer: string
  /** The URLs of the JWK Sets. Undefined if they are discovered, or if the issuer has only a shared secret. */
  readonly jwksUris: readonly URL[] | undefined
  /** The URL of the metadata. Undefined if it is at a well-known place, or without discovery. */
  readonly metadataUrl: URL | undefined
  /** The URL of the issuer's metadata by OpenID Connect Discovery. Undefined without discovery. */
  readonly openIdConfiguration: URL | undefined
}

/**
 * Checks the options that say who the issuer is and where its keys are.
 *
 * @param path - Precedes the names of options in errors.
 * @throws {TypeError}
 */
export function readIssuerUrls(options: Options, path: string, allowInsecure: boolean): IssuerUrls {
  const metadataUrl = readMetadataUrl(options, path, allowInsecure)
  const issuer = readIssuer(options, path, allowInsecure)
  const jwksUris = readJwksUris(options, issuer, path, allowInsecure)
  const isDiscovered = options.secret === undefined && options.jwksUri === undefined
  return {
    issuer,
    jwksUris,
    metadataUrl,
    openIdConfiguration: isDiscovered ? (metadataUrl ?? metadataUrls(issuer)[0]) : undefined,
  }
}

function readIssuer(options: Options, path: string, allowInsecure: boolean): string {
  const { domain, issuer, jwksUri, secret } = options
  if (domain !== undefined) {
    if (issuer !== undefined)
      invalidOption(`${path}domain`, 'excludes "issuer": it is the short form of https://DOMAIN/')
    if (typeof domain !== 'string' || !isHost(domain)) {
      invalidOption(
        `${path}domain`,
        'must be a host name in lower case with an optional port, such as tenant.eu.auth0.com',
        domain === '',
      )
    }
    return `https://${domain}/`
  }
  if (issuer === undefined) {
    const isUnset = 'issuer' in options || 'domain' in options
    invalidOption(`${path}issuer`, 'is required (or "domain", for an Auth0 tenant)', isUnset)
  }
  if (Array.isArray(issuer)) {
    invalidOption(
      `${path}issuer`,
      'must be a string; list several issuers as [{ issuer, audience }, …] in "issuers"',
    )
  }
  if (issuer === '') invalidOption(`${path}issuer`, 'must be a non-empty string', true)
  assertNonEmptyString(`${path}issuer`, issuer)
  if (jwksUri === undefined && secret === undefined) {
    readUrl(`${path}issuer`, issuer, allowInsecure)
    if (/[?#\s]/.test(issuer)) {
      invalidOption(`${path}issuer`, 'must be a URL without a query, a fragment or white space')
    }
  }
  return issuer
}

/** Whether a URL would contain the host in this form. Issuers do, and `iss` is compared exactly. */
function isHost(domain: string): boolean {
  const url = `https://${domain}/`
  return URL.canParse(url) && new URL(url).host === domain
}

function readMetadataUrl(options: Options, path: string, allowInsecure: boolean): URL | undefined {
  const { metadataUrl } = options
  if (metadataUrl === undefined) return undefined
  const excluded = ['domain', 'jwksUri', 'secret'].find((name) => options[name] !== undefined)
  if (excluded !== undefined) {
    invalidOption(`${path}metadataUrl`, `excludes "${excluded}", which needs no metadata`)
  }
  return readUrl(`${path}metadataUrl`, metadataUrl, allowInsecure)
}

function readJwksUris(
  { domain, jwksUri, secret }: Options,
  issuer: string,
  path: string,
  allowInsecure: boolean,
): readonly URL[] | undefined {
  if (jwksUri === undefined) {
    const isAuth0 = domain !== undefined && secret === undefined
    return isAuth0 ? [new URL('.well-known/jwks.json', issuer)] : undefined
  }
  const name = `${path}jwksUri`
  if (!Array.isArray(jwksUri)) return [readUrl(name, jwksUri, allowInsecure)]
  if (jwksUri.length > maxJwksUris) invalidOption(name, `must be a list of at most ${maxJwksUris} URLs`)
  return list(name, jwksUri, (entryName, entry) => readUrl(entryName, entry, allowInsecure))
}

function readUrl(name: string, value: unknown, allowInsecure: boolean): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !isTrustworthy(url, allowInsecure) || url.username || url.password) {
    invalidOption(
      name,
      'must be an https URL without credentials (http only on loopback or with allowInsecureIssuers: true)',
      value === '',
    )
  }
  return url
}
