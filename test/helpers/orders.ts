import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import jwksAuth, { type JwksAuthOptions } from '../../lib/index.ts'

type Step = (app: FastifyInstance) => void | Promise<void>

/**
 * Every order in which an application can register the plugin and declare its routes, with and without `await`.
 *
 * @param declare - Declares the routes on an instance.
 */
export function ordersOf(
  options: JwksAuthOptions,
  declare: (app: FastifyInstance) => void,
): [title: string, build: (app: FastifyInstance) => Promise<void>][] {
  // The steps return nothing: an instance is a promise of its registrations, so awaiting it would await them.
  const registerPlugin: Step = (app) => {
    app.register(jwksAuth, options)
  }
  const awaitPlugin: Step = async (app) => {
    await app.register(jwksAuth, options)
  }
  const declareInScope: Step = (app) => {
    app.register(async (scope) => declare(scope))
  }
  const awaitScope: Step = async (app) => {
    await app.register(async (scope) => declare(scope))
  }
  const declareInScopeOfScope: Step = (app) => {
    app.register(async (scope) => declareInScope(scope))
  }
  const registerInPlugin: Step = (app) => {
    app.register(fp(async (scope) => registerPlugin(scope)))
  }
  const orders: [title: string, ...steps: Step[]][] = [
    ['after a registration without await', registerPlugin, declare],
    ['after a registration with await', awaitPlugin, declare],
    ['before a registration without await', declare, registerPlugin],
    ['before a registration with await', declare, awaitPlugin],
    ['in a scope after a registration without await', registerPlugin, declareInScope],
    ['in a scope after a registration with await', awaitPlugin, declareInScope],
    ['in a scope before a registration without await', declareInScope, registerPlugin],
    ['in a scope before a registration with await', declareInScope, awaitPlugin],
    ['in a scope that has loaded before the registration', awaitScope, registerPlugin],
    ['in a scope of a scope after the registration', registerPlugin, declareInScopeOfScope],
    ['in a scope of a scope before the registration', declareInScopeOfScope, registerPlugin],
    ['after a plugin in fastify-plugin that registers it', registerInPlugin, declare],
    ['before a plugin in fastify-plugin that registers it', declare, registerInPlugin],
  ]
  return orders.map(([title, ...steps]) => [
    title,
    async (app) => {
      for (const step of steps) await step(app)
    },
  ])
}

/** The usual mistake: `plugins/auth.js` without fastify-plugin. */
export function registerInSiblingScope(app: FastifyInstance, options: JwksAuthOptions): void {
  app.register(async (scope) => {
    await scope.register(jwksAuth, options)
  })
}
