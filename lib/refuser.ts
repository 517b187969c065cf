import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccessTokenVerifier } from './access-token-verifier.ts'
import { diagnostics } from './channels.ts'
import { JwksAuthError } from './errors.ts'
import { isDPoPScheme, type Scheme } from './http/authorization-header.ts'
import { setRefusalHeaders } from './http/refusal-headers.ts'
import { createChallengeWriter, type ChallengeWriter } from './http/www-authenticate.ts'
import type { AccessToken } from './jwt/token.ts'
import type { PluginSettings } from './options/plugin-options.ts'
import { dpopChallengeOf } from './options/sender-constraint-options.ts'

/** Sets the headers of refusals and publishes their events. */
export class Refuser {
  readonly #verifier: AccessTokenVerifier
  readonly #writeChallenges: ChallengeWriter
  readonly #hasGetToken: boolean

  /** @param hasGetToken - Whether tokens come from another place than the Authorization header. */
  constructor(
    verifier: AccessTokenVerifier,
    settings: Pick<PluginSettings, 'dpop' | 'mtls' | 'realm' | 'resource'>,
    hasGetToken: boolean,
  ) {
    const { realm, resource } = settings
    this.#verifier = verifier
    this.#writeChallenges = createChallengeWriter(realm, resource?.href, dpopChallengeOf(settings))
    this.#hasGetToken = hasGetToken
  }

  /**
   * Returns the refusal, after its headers are set and its event is published. Every refusal passes through here.
   *
   * @param source - A verified token, or the Authorization header.
   */
  refuse(reply: FastifyReply, refusal: JwksAuthError, source?: AccessToken | string): JwksAuthError {
    const scheme = this.#schemeOf(reply.request)
    setRefusalHeaders(reply, this.#writeChallenges(refusal, scheme), refusal)
    if (refusal.statusCode === 401) this.setNonce(reply, scheme === 'DPoP')
    if (diagnostics.tokenRefused.hasSubscribers) {
      const { code, reason } = refusal
      const details = this.#verifier.eventDetails(source)
      diagnostics.tokenRefused.publish({ code, ...details, ...(reason !== undefined && { reason }) })
    }
    return refusal
  }

  /** Adds the scopes of a rule to the challenge of a 401, so that a client asks for the right ones at once. */
  nameScopes(reply: FastifyReply, error: Error, scope: string): Error {
    if (!(error instanceof JwksAuthError) || error.statusCode !== 401) return error
    const named = Object.assign(error, { scope })
    setRefusalHeaders(reply, this.#writeChallenges(named, this.#schemeOf(reply.request)), named)
    return named
  }

  /**
   * Sets the nonce for the next proof, if the answer needs one. Such an answer must not be used again for another request (RFC 9449
   * section 8.2).
   *
   * @param isRefused - Whether the answer is a 401 to a request with the DPoP scheme.
   */
  setNonce(reply: FastifyReply, isRefused: boolean): void {
    const nonce = this.#verifier.nonceFor(reply.request, isRefused)
    if (nonce === undefined) return
    reply.header('dpop-nonce', nonce)
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  }

  /** The scheme that a client chose. With `getToken` only a proof tells. */
  #schemeOf({ headers }: FastifyRequest): Scheme {
    const isDPoP = this.#hasGetToken ? headers.dpop !== undefined : isDPoPScheme(headers.authorization ?? '')
    return isDPoP ? 'DPoP' : 'Bearer'
  }
}
