import type { FastifyReply, FastifyRequest } from 'fastify'
import { checkRule, type Rule } from '../authorization/rule.ts'
import { tokenScopes } from '../authorization/scopes.ts'
import type { AuthorizeOptions } from '../decorators.ts'
import { insufficientScope } from '../errors.ts'
import type { RequestAuthenticator } from '../request-authenticator.ts'
import type { JwksAuthClaims } from '../types.ts'
import { setAuthInfo } from './auth-info.ts'

/** The rules that a request has passed. Several hooks of a route check it, and a `check` of the application is called once. */
const passed = new WeakMap<FastifyRequest, Set<Rule>>()

/** Authenticates a request and checks all of its rules. Its challenges name the scopes of all of them. */
export async function authorizeOperation(
  authenticator: RequestAuthenticator,
  request: FastifyRequest,
  reply: FastifyReply,
  rules: readonly Rule[],
): Promise<Error | undefined> {
  const scope = scopeOf(rules)
  const error = await authenticator.authenticateFor(scope, request, reply)
  if (error) return error
  const { scopes, resource } = authenticator
  const accessToken = authenticator.accessTokenOf(request)
  const { claims } = accessToken
  setAuthInfo(request, accessToken, tokenScopes(scopes.scopeClaims, claims), resource)

  const done = passed.get(request) ?? new Set()
  passed.set(request, done)
  const open = rules.filter((rule) => !done.has(rule))
  const refusals = open.flatMap((rule) => checkRule(rule, claims, scopes) ?? [])
  // Missing permissions first, because authenticating again would not change them.
  const refusal = refusals.find(({ statusCode }) => statusCode === 403) ?? refusals[0]
  if (refusal) return authenticator.refuse(request, reply, { ...refusal, scope })
  for (const rule of open) {
    const check = rule.check as AuthorizeOptions['check']
    // One after the other: the first that refuses decides.
    // oxlint-disable-next-line no-await-in-loop
    if (check && (await check(claims as JwksAuthClaims, request)) !== true) {
      return authenticator.refuse(request, reply, insufficientScope(scope))
    }
    done.add(rule)
  }
  return undefined
}

function scopeOf(rules: readonly Rule[]): string | undefined {
  const scopes = rules.flatMap((rule) => rule.insufficientScope.scope?.split(' ') ?? [])
  return [...new Set(scopes)].join(' ') || undefined
}
