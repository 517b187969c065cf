import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import { documentHook } from '../authorization/openapi.ts'
import { readRule, type Rule } from '../authorization/rule.ts'
import type { AuthenticateHook, AuthorizeOptions } from '../decorators.ts'
import { createHook, type CheckResult } from '../hook.ts'
import { findAuthenticator, refuseForReason } from '../hooks.ts'
import { notRegistered } from '../log.ts'
import { assertRecord } from '../options/assert.ts'
import { isForMetadata } from '../metadata-route.ts'
import { routeHandler } from '../route-hook.ts'
import { headerMismatch, invalidToolName, unreadBody } from './errors.ts'
import { agree, messagesOf, readMessageHeaders, toolsCalledBy } from './messages.ts'
import { authorizeOperation } from './operation.ts'

/** The rule of the route of an MCP server: that of `authorize`. Without members it requires any valid token. */
export type McpRule = AuthorizeOptions & {
  /** Further rules for `tools/call`, by the name of the tool. */
  tools?: Readonly<Record<string, AuthorizeOptions>>
}

/** Options of a Fastify route. Don't replace one of the hooks: give hooks of your own to the scope of the route. */
export interface McpRouteOptions {
  /** Has the plugin check the rule where `global` or a `config` would. */
  readonly config: FastifyContextConfig
  /** Checks the rule of the route, and that of the tool that the headers name. */
  readonly onRequest: AuthenticateHook
  /** Checks the rules of all tools that the body calls. */
  readonly preValidation: AuthenticateHook
  /** Does so again, because a schema can change the body. */
  readonly preHandler: AuthenticateHook
}

/**
 * Protects the route of an MCP server: `app.route({ method: ['GET', 'POST', 'DELETE'], url: '/mcp', ...mcpRoute(rule), handler })`. It
 * uses the plugin of the Fastify instance that the route is declared on, no matter when the plugin is registered.
 *
 * @throws {TypeError} The rule is unknown or mistyped, or the rule of a tool is empty.
 */
export function mcpRoute(options: McpRule = {}): McpRouteOptions {
  const { ofRoute, ofTools } = readRules(options)

  const beforeBody = (request: FastifyRequest, reply: FastifyReply): CheckResult => {
    const { method, name } = readMessageHeaders(request.raw.rawHeaders)
    return authorize(request, reply, method === 'tools/call' ? [name] : [])
  }

  const withBody = async (request: FastifyRequest, reply: FastifyReply): Promise<Error | undefined> => {
    const headers = readMessageHeaders(request.raw.rawHeaders)
    const messages = messagesOf(request.body)
    const tools = messages ? toolsCalledBy(messages) : []
    const error = await authorize(request, reply, tools)
    if (error) return error
    if (!messages) return request.method === 'POST' || request.body !== undefined ? unreadBody() : undefined
    if (!headers.areValid || !agree(headers, messages)) return headerMismatch()
    // A handler that looks a tool up by a list of one name would find it.
    return tools.every((tool) => tool === undefined || typeof tool === 'string')
      ? undefined
      : invalidToolName()
  }

  const authorize = (
    request: FastifyRequest,
    reply: FastifyReply,
    tools: readonly unknown[],
  ): CheckResult => {
    const authenticator = findAuthenticator(request)
    if (!authenticator) return refuseForReason(request, notRegistered)
    if (isForMetadata(request)) return undefined
    const rules = new Set([...ofRoute, ...tools.flatMap((tool) => ofTools.get(tool) ?? [])])
    return authorizeOperation(authenticator, request, reply, [...rules])
  }

  const hook = createHook(withBody) as AuthenticateHook
  const [rule] = ofRoute
  return {
    config: { [routeHandler]: beforeBody } as FastifyContextConfig,
    onRequest: documentHook(createHook(beforeBody), rule ?? {}) as AuthenticateHook,
    preValidation: hook,
    preHandler: hook,
  }
}

const mustBeRule = 'must be a rule, as in { scope: … }'

interface Rules {
  /** One rule or none. */
  readonly ofRoute: readonly Rule[]
  readonly ofTools: ReadonlyMap<unknown, Rule>
}

function readRules(options: McpRule): Rules {
  assertRecord('mcpRoute', options)
  const { tools, ...own } = options
  const isEmpty = Object.values(own).every((value) => value === undefined)
  if (tools !== undefined) assertRecord('mcpRoute.tools', tools)
  const ofTools = Object.entries(tools ?? {}).map(
    ([tool, rule]) => [tool, readRule(rule, `mcpRoute.tools.${tool}`, mustBeRule)] as const,
  )
  return { ofRoute: isEmpty ? [] : [readRule(own, 'mcpRoute')], ofTools: new Map(ofTools) }
}
