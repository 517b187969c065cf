import type { FastifyRequest } from 'fastify'
import type { AccessToken } from '../jwt/token.ts'

/** The access token in the form of the MCP SDK, whose transports pass it to tools as `authInfo`. */
export interface McpAuthInfo {
  /** The text of the token. */
  token: string
  /** The claim `client_id`, else `azp`, else `appid`, else an empty string. */
  clientId: string
  /** The scopes that the token has, without implied ones. */
  scopes: string[]
  /** The end of the token, in seconds since 1970. */
  expiresAt: number
  /** The option `resource`, if it is set. */
  resource?: URL
  /** What the SDK has no member for. */
  extra: {
    /** The claims of the token. */
    claims: AccessToken['claims']
  }
}

/** @param resource - The identifier of this API. */
export function setAuthInfo(
  request: FastifyRequest,
  { claims, raw }: AccessToken,
  scopes: Iterable<unknown>,
  resource: string | undefined,
): void {
  const { client_id: clientId, azp, appid } = claims as Record<string, unknown>
  const auth: McpAuthInfo = {
    token: raw,
    clientId: [clientId, azp, appid].find((name) => typeof name === 'string') ?? '',
    scopes: [...scopes].filter((scope): scope is string => typeof scope === 'string' && scope !== ''),
    expiresAt: claims.exp,
    ...(resource !== undefined && { resource: new URL(resource) }),
    extra: { claims },
  }
  Object.assign(request.raw, { auth })
}
