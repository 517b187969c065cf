import type { DPoPChallenge } from '../http/www-authenticate.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import type { ResolveIssuer } from '../options/issuer-types.ts'
import { readRouteConfig } from './route-config.ts'

/** A Security Scheme Object (OpenAPI 3.0 and 3.1, section "Security Scheme Object"). */
export type SecurityScheme =
  | { readonly type: 'openIdConnect'; readonly openIdConnectUrl: string }
  | { readonly type: 'http'; readonly scheme: 'bearer'; readonly bearerFormat: 'JWT' }
  | { readonly type: 'http'; readonly scheme: 'dpop' }

/** Input for the options of @fastify/swagger. */
export interface OpenApiSecurity {
  /**
   * For `openapi.components`: `openId`, `openId2` … for issuers with discovery, `bearer` for all others, and `dpop` for tokens that are
   * bound to a DPoP key.
   */
  readonly components: { readonly securitySchemes: Record<string, SecurityScheme> }
  /**
   * For `transform`. It adds `security`, with the required scopes, to each route that requires a token: by a hook in its options, by
   * its `config`, or by `global`. A `security` of the route's own schema stays. Hooks of `addHook` are not seen.
   */
  readonly transform: <Schema>(route: { schema: Schema; url: string; route: object }) => {
    schema: Schema
    url: string
  }
}

/** The requirements of a hook that a document can express. */
interface Requirements {
  readonly scope: readonly string[]
  readonly anyScope: readonly string[]
  readonly isOptional: boolean
}

type Route = Readonly<Record<string, unknown>> & { readonly config?: { readonly jwksAuth?: unknown } }

const hookNames = ['onRequest', 'preParsing', 'preValidation', 'preHandler']

const anyToken: Requirements = { scope: [], anyScope: [], isOptional: false }

const requirementsOfHooks = new WeakMap<object, Requirements>()

/** Remembers the requirements of a hook. */
export function documentHook<Hook extends object>(hook: Hook, requirements: Partial<Requirements>): Hook {
  requirementsOfHooks.set(hook, { ...anyToken, ...requirements })
  return hook
}

/** Describes the issuers and the protected routes for an OpenAPI document. */
export class OpenApi {
  readonly #schemes: ReadonlyMap<string, SecurityScheme>
  readonly #isGlobal: boolean

  /**
   * @param isGlobal - Whether a route whose `config` says nothing requires a token.
   * @param dpop - Undefined if tokens can't be bound to a DPoP key.
   */
  constructor(
    issuers: readonly IssuerSettings[] | ResolveIssuer,
    isGlobal: boolean,
    dpop: DPoPChallenge | undefined,
  ) {
    this.#isGlobal = isGlobal
    // Nothing is known in advance of issuers that a function resolves.
    const schemes = securitySchemes(typeof issuers === 'function' ? [undefined] : issuers)
    if (dpop) schemes.set('dpop', { type: 'http', scheme: 'dpop' })
    if (dpop?.isOnly) schemes.delete('bearer')
    this.#schemes = schemes
  }

  security(): OpenApiSecurity {
    return {
      components: { securitySchemes: Object.fromEntries(this.#schemes) },
      transform: ({ schema, url, route }) => {
        const requirements = this.#requirementsOf(route as Route)
        const security = requirements.length > 0 && this.#securityRequirements(requirements)
        return { schema: security ? { security, ...schema } : schema, url }
      },
    }
  }

  #requirementsOf(route: Route): Requirements[] {
    const hooks = hookNames.flatMap((name) => route[name] ?? [])
    const ofHooks = hooks.flatMap((hook) => requirementsOfHooks.get(hook as object) ?? [])
    const ofRoute = readRouteConfig(route.config?.jwksAuth)
    if (ofRoute === false || (ofRoute === undefined && !this.#isGlobal)) return ofHooks
    return [
      ...ofHooks,
      typeof ofRoute === 'object'
        ? { ...anyToken, ...ofRoute }
        : { ...anyToken, isOptional: ofRoute === 'optional' },
    ]
  }

  /** Security Requirement Objects, one of which must be satisfied. Only those of OpenID Connect name scopes. */
  #securityRequirements(requirements: readonly Requirements[]): Record<string, string[]>[] {
    const alternatives = scopeAlternatives(requirements)
    const anonymous = requirements.every(({ isOptional }) => isOptional) ? [{}] : []
    const required = Array.from(this.#schemes, ([name, { type }]) =>
      (type === 'openIdConnect' ? alternatives : [[]]).map((scopes) => ({ [name]: scopes })),
    )
    return [...anonymous, ...required.flat()]
  }
}

/** A scheme for each issuer with discovery, and one for all others. */
function securitySchemes(issuers: readonly (IssuerSettings | undefined)[]): Map<string, SecurityScheme> {
  const urls = issuers.flatMap((issuer) => issuer?.openIdConfiguration?.href ?? [])
  const schemes = new Map<string, SecurityScheme>(
    urls.map((openIdConnectUrl, index) => [
      index === 0 ? 'openId' : `openId${index + 1}`,
      { type: 'openIdConnect', openIdConnectUrl },
    ]),
  )
  if (urls.length < issuers.length) {
    schemes.set('bearer', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
  }
  return schemes
}

/** Every set of scopes that satisfies all requirements. */
function scopeAlternatives(requirements: readonly Requirements[]): string[][] {
  let alternatives: string[][] = [[]]
  for (const { scope, anyScope } of requirements) {
    const choices = anyScope.length > 0 ? anyScope.map((one) => [one]) : [[]]
    alternatives = alternatives.flatMap((scopes) => choices.map((choice) => union(scopes, scope, choice)))
  }
  return alternatives
}

function union(...lists: (readonly string[])[]): string[] {
  return [...new Set(lists.flat())]
}
