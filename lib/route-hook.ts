import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { readRouteConfig, type RouteRequirement } from './authorization/route-config.ts'
import type { Hints } from './hints/hints.ts'
import { createHook, type CheckResult, type Handler } from './hook.ts'
import { assertCalled, findAuthenticator, refuseForReason } from './hooks.ts'
import * as messages from './log.ts'
import { findShortTimes } from './options/times.ts'

/** The member of a route's `config` that does what the route requires, in place of `jwksAuth` and `global`. */
export const routeHandler: unique symbol = Symbol('fastify-jwks-auth route')

type OwnHandler = { readonly [routeHandler]?: Handler<FastifyRequest, FastifyReply> }

/**
 * Adds the hook that does what the `config` of each route says, and checks routes where they are declared.
 *
 * @param isGlobal - Whether a route whose `config` says nothing requires a token.
 * @param hints - Of the plugin.
 */
export function protectRoutes(app: FastifyInstance, isGlobal: boolean, hints: Hints): void {
  const handler = (request: FastifyRequest, reply: FastifyReply): CheckResult => {
    const { url, config } = request.routeOptions
    // An unknown URL is a 404 with and without a token.
    if (url === undefined) return undefined
    const own = (config as OwnHandler)[routeHandler]
    if (own) return own(request, reply)
    let requirement: RouteRequirement
    try {
      requirement = readRouteConfig(config.jwksAuth)
    } catch (error) {
      // The route was declared before the plugin was loaded.
      return refuseForReason(request, messages.invalidRouteConfig, error)
    }
    if (requirement === false || (requirement === undefined && !isGlobal)) return undefined
    const authenticator = findAuthenticator(request)!
    return typeof requirement === 'object'
      ? authenticator.authorize(request, reply, requirement)
      : authenticator.authenticate(request, reply, requirement === 'optional')
  }
  const hook = createHook(handler)
  warnIfUnused(app, hook)
  app.addHook('onRequest', hook as never)
  app.addHook('onRoute', (route) => {
    const requirement = readRoute(route)
    if (typeof requirement === 'object') hints.shortTimes(findShortTimes('authorize.', requirement))
  })
}

/** Fastify binds a hook for each route that it applies to, and for the 404 handler of its scope, before the server is ready. */
function warnIfUnused(app: FastifyInstance, hook: object): void {
  let isUsed = false
  const bind = (...parameters: Parameters<Function['bind']>): unknown => {
    isUsed = true
    return Function.prototype.bind.apply(hook as Function, parameters)
  }
  Object.defineProperty(hook, 'bind', { value: bind })
  app.addHook('onReady', async () => {
    if (!isUsed) app.log.warn(messages.scopeWithoutRoutes)
  })
}

/** @throws {TypeError} The route would answer every request with 500. */
function readRoute(route: RouteOptions): RouteRequirement {
  const { config, onRequest, preParsing, preValidation, preHandler } = route
  assertCalled([onRequest, preParsing, preValidation, preHandler].flat())
  return readRouteConfig(config?.jwksAuth)
}
