import type { IssuerSettings } from '../options/issuer-options.ts'
import type { ResolveIssuer } from '../options/types.ts'

/** A Security Scheme Object (OpenAPI 3.0 and 3.1, section "Security Scheme Object"). */
export type SecurityScheme =
  | { readonly type: 'openIdConnect'; readonly openIdConnectUrl: string }
  | { readonly type: 'http'; readonly scheme: 'bearer'; readonly bearerFormat: 'JWT' }

/** Input for the options of @fastify/swagger. */
export interface OpenApiSecurity {
  /** For `openapi.components`: `openId`, `openId2` … for issuers with discovery, `bearer` for all others. */
  readonly components: { readonly securitySchemes: Record<string, SecurityScheme> }
  /**
   * For `transform`: adds `security` with the required scopes to each route that has a hook of the plugin, unless its schema has a
   * `security` already. Only hooks in the options of a route are seen, not those of `addHook`.
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

const hookNames = ['onRequest', 'preParsing', 'preValidation', 'preHandler']

const requirementsOfHooks = new WeakMap<object, Requirements>()

/** Remembers the requirements of a hook. */
export function documentHook<Hook extends object>(hook: Hook, requirements: Partial<Requirements>): Hook {
  requirementsOfHooks.set(hook, { scope: [], anyScope: [], isOptional: false, ...requirements })
  return hook
}

/** Describes the issuers and the protected routes for an OpenAPI document. */
export class OpenApi {
  readonly #schemes: ReadonlyMap<string, SecurityScheme>

  constructor(issuers: readonly IssuerSettings[] | ResolveIssuer) {
    // Nothing is known in advance of issuers that a function resolves.
    this.#schemes = securitySchemes(typeof issuers === 'function' ? [undefined] : issuers)
  }

  security(): OpenApiSecurity {
    return {
      components: { securitySchemes: Object.fromEntries(this.#schemes) },
      transform: ({ schema, url, route }) => {
        const requirements = requirementsOf(route as Readonly<Record<string, unknown>>)
        const security = requirements.length > 0 && this.#securityRequirements(requirements)
        return { schema: security ? { security, ...schema } : schema, url }
      },
    }
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

function requirementsOf(route: Readonly<Record<string, unknown>>): Requirements[] {
  const hooks = hookNames.flatMap((name) => route[name] ?? [])
  return hooks.flatMap((hook) => requirementsOfHooks.get(hook as object) ?? [])
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
