import type { JwksAuthError } from '../errors.ts'
import { findSimilar, printable } from '../jwks/identifier-diff.ts'
import { decodeObject, decodeToken, type UnverifiedToken } from '../jwt/token.ts'
import * as messages from '../log.ts'
import { maxListed, warning, type Hint } from './hint.ts'

/** Explains a token that can't be decoded. */
export function explainMalformedToken(raw: string, audience: readonly string[]): Hint | undefined {
  const parts = raw.split('.', 6).length
  if (raw === 'undefined' || raw === 'null')
    return warning('literalUndefined', {}, messages.literalUndefined(raw))
  if (/^bearer\s/i.test(raw)) return warning('schemeInToken', {}, messages.schemeInToken)
  if (/^(["'`]|%22)|["'`]$/.test(raw)) return warning('quotedToken', {}, messages.quotedToken)
  if (parts === 5 && isEncrypted(raw)) return warning('encryptedToken', { audience }, messages.encryptedToken)
  if (parts === 3 && isDamaged(raw)) return warning('damagedToken', {}, messages.damagedToken)
  if (parts === 3 || raw === '') return undefined
  if (parts === 4 && decodeToken(raw.slice(0, raw.lastIndexOf('.'))))
    return warning('signedCookie', {}, messages.signedCookie)
  return warning('opaqueToken', { audience }, messages.opaqueToken)
}

/** Whether a token has a character that is in no JWT (RFC 7515 section 7.1). */
function isDamaged(raw: string): boolean {
  return /[^\w.-]/.test(raw)
}

/** RFC 7516 section 4.1.2. */
function isEncrypted(raw: string): boolean {
  return typeof decodeObject(raw.slice(0, raw.indexOf('.')))?.enc === 'string'
}

/**
 * Explains an `iss` that is not configured.
 *
 * @param configured - Empty if a function resolves the issuers.
 */
export function explainUnknownIssuer(
  { header, claims }: UnverifiedToken,
  configured: readonly string[],
): Hint {
  const iss = printable(claims.iss)
  const version = entraVersion(claims.iss)
  if (version !== undefined && isGraphToken(header))
    return warning('graphToken', { iss }, messages.graphToken)
  const versions = configured.map(entraVersion)
  if (version !== undefined && !versions.includes(version) && versions.some((other) => other !== undefined)) {
    return warning('entraVersion', { iss }, messages.entraVersion)
  }
  const similar = findSimilar([claims.iss], configured)
  if (similar) {
    const subject = similar.isElsewhere ? 'issuerElsewhere' : 'issuerSpelling'
    return warning(subject, { issuer: similar.configured, iss }, messages.similarIssuer(similar.differences))
  }
  return {
    subject: 'unknownIssuer',
    level: 'info',
    details: { issuers: configured.slice(0, maxListed), iss },
    message: configured.length > 0 ? messages.unknownIssuer : messages.unresolvedIssuer,
  }
}

/** The version of the access tokens that an issuer of Microsoft Entra makes. Undefined for another issuer. */
function entraVersion(iss: unknown): 1 | 2 | undefined {
  if (typeof iss !== 'string') return undefined
  if (iss.startsWith('https://sts.windows.net/')) return 1
  return iss.startsWith('https://login.microsoftonline.') ? 2 : undefined
}

/** Microsoft Graph's own tokens have a nonce in their header. Their signature is not that of the text that clients get. */
function isGraphToken(header: UnverifiedToken['header']): boolean {
  return typeof header.nonce === 'string'
}

/** Explains a token that no key of its issuer verifies. */
export function explainUnverified(
  { code }: JwksAuthError,
  { token, header, claims }: UnverifiedToken & { readonly token: string },
): Hint | undefined {
  const { iss: issuer } = claims
  const [alg, kid] = [printable(header.alg), printable(header.kid)]
  if (code === 'invalid_algorithm') return warning('algorithm', { issuer, alg }, messages.disallowedAlgorithm)
  if (code === 'token_invalid_signature') {
    if (isGraphToken(header)) return warning('graphToken', { issuer }, messages.graphToken)
    if (isDamaged(token)) return warning('damagedToken', { issuer }, messages.damagedToken)
    return alg?.startsWith('HS') === true
      ? warning('wrongSecret', { issuer }, messages.wrongSecret)
      : warning('invalidSignature', { issuer, kid }, messages.invalidSignature)
  }
  // A token without kid is reported for each issuer.
  return kid === undefined ? undefined : warning('unknownKid', { issuer, kid, alg }, messages.unknownKid)
}
