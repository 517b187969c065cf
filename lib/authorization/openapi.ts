import type { IssuerSettings } from '../options/issuer-options.ts'
import type { IssuerFinder } from '../options/types.ts'

/** A Security Scheme Object (OpenAPI 3.0 and 3.1, section "Security Scheme Object"). */
export type SecurityScheme =
  | { readonly type: 'openIdConnect'; readonly openIdConnectUrl: string }
  | { readonly type: 'http'; readonly scheme: 'bearer'; readonly bearerFormat: 'JWT' }

/** For the options of @fastify/swagger. */
export interface OpenApiSecurity {
  /** For `openapi.components`: `openId`, `openId2` … for issuers with discovery, `bearer` for all others. */
  readonly components: { readonly securitySchemes: Record<string, SecurityScheme> }
  /**
   * For `transform`: says of each route that has a hook of the plugin which scopes it demands, unless its schema has a
   * `security` of its own. Of the hooks only those in the options of a route are seen, and not those of `addHook`.
   */
  readonly transform: <Schema>(route: { schema: Schema; url: string; route: object }) => {
    schema: Schema
    url: string
  }
}

/** What of a hook's demands the document can say. */
interface Demands {
  readonly scope: readonly string[]
  readonly anyScope: readonly string[]
  readonly isOptional: boolean
}

const stages = ['onRequest', 'preParsing', 'preValidation', 'preHandler']

/** What an OpenAPI document says of the issuers and of the routes that have a hook of the plugin. */
export class OpenApi {
  readonly #schemes: ReadonlyMap<string, SecurityScheme>
  readonly #demands = new WeakMap<object, Demands>()

  /** @param issuers - Of a function that finds them nothing is known beforehand. */
  constructor(issuers: readonly IssuerSettings[] | IssuerFinder) {
    this.#schemes = securitySchemes(typeof issuers === 'function' ? [undefined] : issuers)
  }

  /** Remembers what a hook demands. */
  describe<Hook extends object>(hook: Hook, demands: Partial<Demands>): Hook {
    this.#demands.set(hook, { scope: [], anyScope: [], isOptional: false, ...demands })
    return hook
  }

  security(): OpenApiSecurity {
    return {
      components: { securitySchemes: Object.fromEntries(this.#schemes) },
      transform: ({ schema, url, route }) => {
        const demands = this.#demandsOf(route as Readonly<Record<string, unknown>>)
        return {
          schema: demands.length > 0 ? { security: this.#requirements(demands), ...schema } : schema,
          url,
        }
      },
    }
  }

  #demandsOf(route: Readonly<Record<string, unknown>>): Demands[] {
    const hooks = stages.flatMap((stage) => route[stage] ?? [])
    return hooks.flatMap((hook) => this.#demands.get(hook as object) ?? [])
  }

  /** Security Requirement Objects, of which one has to be satisfied. Of other schemes than OpenID's they name no scopes. */
  #requirements(demands: readonly Demands[]): Record<string, string[]>[] {
    const choices = scopeChoices(demands)
    const anonymous = demands.every(({ isOptional }) => isOptional) ? [{}] : []
    const required = Array.from(this.#schemes, ([name, { type }]) =>
      (type === 'openIdConnect' ? choices : [[]]).map((scopes) => ({ [name]: scopes })),
    )
    return [...anonymous, ...required.flat()]
  }
}

/** A scheme for each issuer with discovery, and one for all others: of those there is nothing to say. */
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

/** Every set of scopes that satisfies all of the demands. */
function scopeChoices(demands: readonly Demands[]): string[][] {
  let choices: string[][] = [[]]
  for (const { scope, anyScope } of demands) {
    const ones = anyScope.length > 0 ? anyScope.map((one) => [one]) : [[]]
    choices = choices.flatMap((choice) => ones.map((one) => union(choice, scope, one)))
  }
  return choices
}

function union(...lists: (readonly string[])[]): string[] {
  return [...new Set(lists.flat())]
}
