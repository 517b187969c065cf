import type { FastifyReply, FastifyRequest } from 'fastify'
import { documentHook } from './authorization/openapi.ts'
import { readRule } from './authorization/rule.ts'
import type { AuthenticateHook, AuthorizeOptions } from './decorators.ts'
import { createHook, type CheckResult, type Handler } from './hook.ts'
import * as messages from './log.ts'
import type { RequestAuthenticator } from './request-authenticator.ts'

interface Hooks {
  readonly authenticate: AuthenticateHook
  readonly authenticateOptional: AuthenticateHook
  readonly authorize: (rule: AuthorizeOptions) => AuthenticateHook
}

/** @param find - Returns the authenticator of a request, or undefined if there is no plugin in the scope of the route. */
export function createHooks(find: (request: FastifyRequest) => RequestAuthenticator | undefined): Hooks {
  const required: Handler<FastifyRequest, FastifyReply> = (request, reply) => {
    const authenticator = find(request)
    return authenticator ? authenticator.authenticate(request, reply, false) : refuseUnprotected(request)
  }
  const optional: Handler<FastifyRequest, FastifyReply> = (request, reply) => {
    const authenticator = find(request)
    return authenticator ? authenticator.authenticate(request, reply, true) : refuseUnprotected(request)
  }
  const authorize = (options: AuthorizeOptions): AuthenticateHook => {
    const rule = readRule(options)
    const { check } = options
    const handler: Handler<FastifyRequest, FastifyReply> = (request, reply) => {
      const authenticator = find(request)
      return authenticator ? authenticator.authorize(request, reply, rule, check) : refuseUnprotected(request)
    }
    return documentHook(createHook(handler), rule) as AuthenticateHook
  }
  return {
    authenticate: documentHook(createHook(required), {}) as AuthenticateHook,
    authenticateOptional: documentHook(createHook(optional), { isOptional: true }) as AuthenticateHook,
    authorize,
  }
}

/** Nobody can tell whether the request may pass. The reason is for the log: the message is sent to the client. */
function refuseUnprotected(request: FastifyRequest): CheckResult {
  const { method, url } = request.routeOptions
  request.log.error({ method, url }, messages.notRegistered)
  return new Error('Internal Server Error')
}

/** The instance decorator that holds the authenticator. Nested instances inherit it, no matter when they were created. */
export const authenticatorKey: symbol = Symbol('fastify-jwks-auth authenticator')

type Authenticators = Record<symbol, RequestAuthenticator | undefined>

const nearest: Hooks = createHooks(({ server }) => (server as unknown as Authenticators)[authenticatorKey])

/**
 * A hook that requires a valid access token and sets `request.user`. It uses the plugin of the Fastify instance that the route was
 * declared on, no matter when the plugin is registered. Without a plugin there every request is answered with 500.
 */
export const authenticate: AuthenticateHook = nearest.authenticate

/** Like `authenticate`, but a request without an Authorization header passes with `request.user === null`. */
export const authenticateOptional: AuthenticateHook = nearest.authenticateOptional

/**
 * Returns a hook that authenticates the request, unless that has happened already, and then checks the rule.
 *
 * @throws {TypeError} The rule is empty, unknown or mistyped.
 */
export const authorize: (rule: AuthorizeOptions) => AuthenticateHook = nearest.authorize
