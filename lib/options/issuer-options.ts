import { isDeepStrictEqual } from 'node:util'
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
  assertBoolean,
  assertNames,
  assertRecord,
  invalidOption,
  list,
  nonEmptyString,
  stringOrList,
  wholeNumber,
} from './assert.ts'
import { readClaimValues } from './claim-values.ts'
import { readIssuerUrls, type IssuerUrls } from './issuer-urls.ts'
import { readSecret } from './secret.ts'
import type { IssuerOptions } from './issuer-types.ts'

/** The checked options of one issuer, with defaults. */
export interface IssuerSettings extends IssuerUrls {
  /** Whether http is allowed for this issuer. */
  readonly allowInsecure: boolean
  readonly algorithms: ReadonlySet<JwsAlgorithm>
  readonly rules: ClaimRules
  /** The bytes of the shared secret, if the issuer has one. */
  readonly secret: Buffer | undefined
}

const names = {
  domain: true,
  issuer: true,
  audience: true,
  jwksUri: true,
  metadataUrl: true,
  secret: true,
  algorithms: true,
  claims: true,
  clockTolerance: true,
  maxTokenAge: true,
  requiredClaims: true,
  profile: true,
  allowInsecureIssuers: true,
} satisfies Record<keyof IssuerOptions, true>

/** The names of the options of one issuer. */
export const issuerOptionNames: readonly string[] = Object.keys(names)

/**
 * Checks the options of one issuer.
 *
 * @param path - Precedes the names of options in errors.
 * @param allAllowInsecure - Allows http whatever the issuer's own option says.
 * @throws {TypeError}
 */
export function readIssuerOptions(options: unknown, path: string, allAllowInsecure: boolean): IssuerSettings {
  assertRecord(path.slice(0, -1), options, 'must be a plain object, such as { issuer, audience }')
  assertNames(path, options, issuerOptionNames)
  const { secret, allowInsecureIssuers } = options
  assertBoolean(`${path}allowInsecureIssuers`, allowInsecureIssuers)
  const allowInsecure = allAllowInsecure || allowInsecureIssuers === true
  const algorithms = readAlgorithms(`${path}algorithms`, options)
  return Object.freeze({
    ...readIssuerUrls(options, path, allowInsecure),
    allowInsecure,
    algorithms: new Set(algorithms),
    rules: readClaimRules(options, path),
    secret:
      secret === undefined
        ? undefined
        : readSecret(`${path}secret`, secret, algorithms.filter(isSecretAlgorithm)),
  })
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
    audience: readAudience(`${path}audience`, options.audience, 'audience' in options),
    clockTolerance: wholeNumber(`${path}clockTolerance`, clockTolerance, 0),
    maxTokenAge: maxTokenAge === undefined ? undefined : wholeNumber(`${path}maxTokenAge`, maxTokenAge, 1),
    requiredClaims:
      requiredClaims === undefined ? [] : list(`${path}requiredClaims`, requiredClaims, nonEmptyString),
    claims: readClaimValues(`${path}claims`, options.claims),
    profile,
  })
}

function readAudience(name: string, value: unknown, isGiven: boolean): readonly string[] | false {
  if (value === false) return false
  const right = 'a non-empty string or a list of them, or false for an issuer whose tokens have no aud'
  if (value === undefined) invalidOption(name, `is required: ${right}`, isGiven)
  if (value === '' || !(typeof value === 'string' || Array.isArray(value))) {
    invalidOption(name, `must be ${right}`, value === '')
  }
  if (Array.isArray(value) && value.includes('')) {
    invalidOption(`${name}[${value.indexOf('')}]`, 'must be a non-empty string', true)
  }
  return stringOrList(name, value)
}

/** Whether two settings of an issuer accept the same tokens. The order of lists doesn't matter. */
export function acceptSameTokens(one: IssuerSettings, other: IssuerSettings): boolean {
  return isDeepStrictEqual(comparable(one), comparable(other))
}

function comparable(settings: IssuerSettings): object {
  const { jwksUris, metadataUrl, rules } = settings
  return {
    ...settings,
    rules: {
      ...rules,
      audience: rules.audience && new Set(rules.audience),
      requiredClaims: new Set(rules.requiredClaims),
      claims: comparableClaims(rules.claims),
    },
    // Versions of Node differ in how they compare URL objects.
    jwksUris: jwksUris && new Set(jwksUris.map(({ href }) => href)),
    metadataUrl: metadataUrl?.href,
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
