import type { FastifyReply, FastifyRequest } from 'fastify'
import { documentHook } from './authorization/openapi.ts'
import { mustBeCalled, readRule } from './authorization/rule.ts'
import type { AuthenticateHook, Authorize } from './decorators.ts'
import { createHook, type Handler } from './hook.ts'
import type { Hints } from './hints/hints.ts'
import * as messages from './log.ts'
import { findShortTimes, type ShortTime } from './options/times.ts'
import type { RequestAuthenticator } from './request-authenticator.ts'

interface Hooks {
  readonly authenticate: AuthenticateHook
  readonly authenticateOptional: AuthenticateHook
  readonly authorize: Authorize
}

type RequestHandler = Handler<FastifyRequest, FastifyReply>

const authorizeFunctions = new WeakSet<object>()

/**
 * @param find - Returns the authenticator of a request, or undefined if there is no plugin in the scope of the route.
 * @param hints - Of the plugin, if it is known when the rules are declared.
 */
export function createHooks(
  find: (request: FastifyRequest) => RequestAuthenticator | undefined,
  hints?: Hints,
): Hooks {
  const required: RequestHandler = (request, reply) => {
    const authenticator = find(request)
    return authenticator ? authenticator.authenticate(request, reply, false) : notRegistered(request)
  }
  const optional: RequestHandler = (request, reply) => {
    const authenticator = find(request)
    return authenticator ? authenticator.authenticate(request, reply, true) : notRegistered(request)
  }
  const authorize = (options: unknown, ...others: unknown[]): unknown => {
    // Fastify calls a hook with the request, the reply and a callback.
    if (others.length > 0) {
      return Promise.reject(refuseForReason(options as FastifyRequest, messages.authorizeNotCalled))
    }
    const rule = readRule(options)
    const handler: RequestHandler = (request, reply) => {
      const authenticator = find(request)
      return authenticator ? authenticator.authorize(request, reply, rule) : notRegistered(request)
    }
    const hook = createHook(handler)
    const shortTimes = findShortTimes('authorize.', rule)
    if (hints) hints.shortTimes(shortTimes)
    else if (shortTimes.length > 0) warnWhenBound(hook, shortTimes)
    return documentHook(hook, rule)
  }
  authorizeFunctions.add(authorize)
  return {
    authenticate: documentHook(createHook(required), {}) as AuthenticateHook,
    authenticateOptional: documentHook(createHook(optional), { isOptional: true }) as AuthenticateHook,
    authorize: authorize as Authorize,
  }
}

/** @throws {TypeError} A hook is `authorize` itself, which was not called. */
export function assertCalled(hooks: readonly unknown[]): void {
  if (hooks.some((hook) => authorizeFunctions.has(hook as object))) {
    throw new TypeError(`fastify-jwks-auth: option "authorize" ${mustBeCalled}`)
  }
}

function notRegistered(request: FastifyRequest): Error {
  return refuseForReason(request, messages.notRegistered)
}

/** Refuses a request because of a mistake in the application. The reason is for the log: the message is sent to the client. */
export function refuseForReason(request: FastifyRequest, reason: string, err?: unknown): Error {
  const { method, url } = request.routeOptions
  request.log.error({ method, url, err }, reason)
  return new Error('Internal Server Error')
}

/** The instance decorator that holds the authenticator. Nested instances inherit it, no matter when they were created. */
export const authenticatorKey: symbol = Symbol('fastify-jwks-auth authenticator')

type Authenticators = Record<symbol, RequestAuthenticator | undefined>

/** The authenticator of the nearest plugin, on the instance of the route or on a parent of it. */
export function findAuthenticator({ server }: FastifyRequest): RequestAuthenticator | undefined {
  return (server as unknown as Authenticators)[authenticatorKey]
}

/** Fastify binds the hooks of a route to its instance before the server is ready. The plugin of the route is loaded by then. */
function warnWhenBound(hook: object, times: readonly ShortTime[]): void {
  const bind = (instance: Authenticators | null): unknown => {
    instance?.[authenticatorKey]?.hints.shortTimes(times)
    return Function.prototype.bind.call(hook as Function, instance)
  }
  Object.defineProperty(hook, 'bind', { value: bind })
}

const exported: Hooks = createHooks(findAuthenticator)

/**
 * A hook that requires a valid access token and sets `request.user`. It uses the plugin of the Fastify instance that the route was
 * declared on, no matter when the plugin is registered. Without a plugin there every request is answered with 500.
 */
export const authenticate: AuthenticateHook = exported.authenticate

/** Like `authenticate`, but a request without an Authorization header passes with `request.user === null`. */
export const authenticateOptional: AuthenticateHook = exported.authenticateOptional

/**
 * Returns a hook that authenticates the request, unless that has happened already, and then checks the rule.
 *
 * @throws {TypeError} The rule is empty, unknown or mistyped.
 */
export const authorize: Authorize = exported.authorize

// Fastify binds every hook when the server starts. So a route that was declared before the plugin is found too.
Object.defineProperty(authorize, 'bind', { value: () => assertCalled([authorize]) })
