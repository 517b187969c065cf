import { isDeepStrictEqual } from 'node:util'
import { metadataUrls } from '../jwks/discovery.ts'
import { isTrustworthy } from '../jwks/urls.ts'
import {
  asymmetricAlgorithms,
  canonicalAlgorithm,
  isSecretAlgorithm,
  secretAlgorithms,
  type JwsAlgorithm,
} from '../jwt/algorithms.ts'
import type { ClaimValues } from '../jwt/claim-values.ts'
import type { ClaimRules } from '../jwt/claims.ts'
import {
  assertNames,
  assertNonEmptyString,
  assertRecord,
  invalidOption,
  list,
  nonEmptyString,
  stringOrList,
  wholeNumber,
} from './assert.ts'
import { readClaimValues } from './claim-values.ts'
import { readSecret } from './secret.ts'
import type { IssuerOptions } from './types.ts'

/** The checked options of one issuer, with defaults. */
export interface IssuerSettings {
  readonly issuer: string
  readonly algorithms: ReadonlySet<JwsAlgorithm>
  readonly rules: ClaimRules
  /** The bytes of the shared secret, if the issuer has one. */
  readonly secret: Buffer | undefined
  /** The URL of the JWK Set. Undefined if it is discovered, or if the issuer has only a shared secret. */
  readonly jwksUri: URL | undefined
  /** The URL of the issuer's metadata by OpenID Connect Discovery. Undefined without discovery. */
  readonly openIdConfiguration: URL | undefined
}

const names = {
  domain: true,
  issuer: true,
  audience: true,
  jwksUri: true,
  secret: true,
  algorithms: true,
  claims: true,
  clockTolerance: true,
  maxTokenAge: true,
  requiredClaims: true,
  profile: true,
} satisfies Record<keyof IssuerOptions, true>

/** The names of the options of one issuer. */
export const issuerOptionNames: readonly string[] = Object.keys(names)

/**
 * Checks the options of one issuer.
 *
 * @param path - Precedes the names of options in errors.
 * @throws {TypeError}
 */
export function readIssuerOptions(options: unknown, path: string, allowInsecure: boolean): IssuerSettings {
  assertRecord(path.slice(0, -1), options)
  assertNames(path, options, issuerOptionNames)
  const { secret, jwksUri } = options
  const algorithms = readAlgorithms(`${path}algorithms`, options)
  const issuer = readIssuer(options, path, allowInsecure)
  return Object.freeze({
    issuer,
    algorithms: new Set(algorithms),
    rules: readClaimRules(options, path),
    secret:
      secret === undefined
        ? undefined
        : readSecret(`${path}secret`, secret, algorithms.filter(isSecretAlgorithm)),
    jwksUri: readJwksUri(options, issuer, path, allowInsecure),
    openIdConfiguration: secret === undefined && jwksUri === undefined ? metadataUrls(issuer)[0] : undefined,
  })
}

function readIssuer(options: Record<string, unknown>, path: string, allowInsecure: boolean): string {
  const { domain, issuer, jwksUri, secret } = options
  if (domain !== undefined) {
    if (issuer !== undefined)
      invalidOption(`${path}domain`, 'excludes "issuer": it is the short form of https://DOMAIN/')
    if (typeof domain !== 'string' || !isHost(domain)) {
      invalidOption(
        `${path}domain`,
        'must be a host name in lower case with an optional port, such as tenant.eu.auth0.com',
      )
    }
    return `https://${domain}/`
  }
  if (issuer === undefined) invalidOption(`${path}issuer`, 'is required (or "domain", for an Auth0 tenant)')
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

function readJwksUri(
  { domain, jwksUri, secret }: Record<string, unknown>,
  issuer: string,
  path: string,
  allowInsecure: boolean,
): URL | undefined {
  if (jwksUri !== undefined) return readUrl(`${path}jwksUri`, jwksUri, allowInsecure)
  return domain === undefined || secret !== undefined ? undefined : new URL('.well-known/jwks.json', issuer)
}

function readUrl(name: string, value: unknown, allowInsecure: boolean): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !isTrustworthy(url, allowInsecure) || url.username || url.password) {
    invalidOption(
      name,
      'must be an https URL without credentials (http only on loopback or with allowInsecureIssuers: true)',
    )
  }
  return url
}

/** Without a secret there are published keys only, and with a secret and `jwksUri` there are both. */
function readAlgorithms(
  name: string,
  { algorithms, secret, jwksUri }: Record<string, unknown>,
): readonly JwsAlgorithm[] {
  const published = secret === undefined || jwksUri !== undefined ? Object.keys(asymmetricAlgorithms) : []
  if (algorithms === undefined) {
    return [...(secret === undefined ? [] : ['HS256']), ...published] as JwsAlgorithm[]
  }
  const known = [...(secret === undefined ? [] : Object.keys(secretAlgorithms)), ...published]
  const given =
    secret === undefined
      ? 'without "secret"'
      : `with "secret"${jwksUri === undefined ? '' : ' and "jwksUri"'}`
  return list(name, algorithms, (entryName, entry) => {
    const algorithm = canonicalAlgorithm(entry)
    if (algorithm === undefined || !known.includes(algorithm)) {
      invalidOption(entryName, `must be one of ${known.join(', ')} ${given}`)
    }
    return algorithm
  })
}

function readClaimRules(options: Record<string, unknown>, path: string): ClaimRules {
  const { clockTolerance = 5_000, maxTokenAge, requiredClaims, profile } = options
  if (profile !== undefined && profile !== 'rfc9068') invalidOption(`${path}profile`, "must be 'rfc9068'")
  return Object.freeze({
    audience: readAudience(`${path}audience`, options.audience),
    clockTolerance: wholeNumber(`${path}clockTolerance`, clockTolerance, 0),
    maxTokenAge: maxTokenAge === undefined ? undefined : wholeNumber(`${path}maxTokenAge`, maxTokenAge, 1),
    requiredClaims:
      requiredClaims === undefined ? [] : list(`${path}requiredClaims`, requiredClaims, nonEmptyString),
    claims: readClaimValues(`${path}claims`, options.claims),
    profile,
  })
}

function readAudience(name: string, value: unknown): readonly string[] | false {
  if (value === false) return false
  const right = 'a non-empty string or a list of them, or false for an issuer whose tokens have no aud'
  if (value === undefined) invalidOption(name, `is required: ${right}`)
  if (value === '' || !(typeof value === 'string' || Array.isArray(value)))
    invalidOption(name, `must be ${right}`)
  return stringOrList(name, value)
}

/** Whether two settings of an issuer accept the same tokens. The order of lists doesn't matter. */
export function acceptSameTokens(one: IssuerSettings, other: IssuerSettings): boolean {
  return isDeepStrictEqual(comparable(one), comparable(other))
}

function comparable(settings: IssuerSettings): object {
  const { jwksUri, rules } = settings
  return {
    ...settings,
    rules: {
      ...rules,
      audience: rules.audience && new Set(rules.audience),
      requiredClaims: new Set(rules.requiredClaims),
      claims: comparableClaims(rules.claims),
    },
    // Versions of Node differ in how they compare URL objects.
    jwksUri: jwksUri?.href,
    openIdConfiguration: undefined,
  }
}

function comparableClaims(values: ClaimValues): Map<string, unknown> {
  return new Map(
    Array.from(values, ([name, allowed]) => [
      name,
      allowed instanceof Map ? comparableClaims(allowed) : new Set(allowed as readonly unknown[]),
    ]),
  )
}
