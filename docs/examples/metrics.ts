import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, {
  authenticate,
  diagnostics,
  type EventChannel,
  type JwksAuthOptions,
} from 'fastify-jwks-auth'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

// #region instruments
/** Collects metrics of the plugin until the application closes. */
export function measure(app: FastifyInstance): Registry {
  const registry = new Registry()
  const common = { registers: [registry], labelNames: ['issuer'] }
  const accepted = new Histogram({
    ...common,
    name: 'jwks_auth_verification_seconds',
    help: 'Time from reading a token to accepting it, a fetch of keys included',
    labelNames: ['issuer', 'cached'],
    buckets: [0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10],
  })
  const refused = new Counter({
    ...common,
    name: 'jwks_auth_refused_total',
    help: 'Requests that were refused',
    labelNames: ['issuer', 'code'],
  })
  const fetches = new Counter({
    ...common,
    name: 'jwks_auth_fetches_total',
    help: 'Fetches of an issuer’s keys',
    labelNames: ['issuer', 'outcome'],
  })
  const stale = new Counter({
    ...common,
    name: 'jwks_auth_stale_total',
    help: 'Uses of a key beyond the refresh interval',
  })
  const unknown = new Counter({
    ...common,
    name: 'jwks_auth_unknown_kids_total',
    help: 'Tokens that name a key which their issuer does not have',
  })
  const removed = new Counter({
    ...common,
    name: 'jwks_auth_keys_removed_total',
    help: 'Keys that an issuer no longer publishes',
  })

  // Channels belong to the process and outlive the application.
  const on = <Event>(channel: EventChannel<Event>, listener: (event: Event) => void): void => {
    channel.subscribe(listener)
    app.addHook('onClose', async () => channel.unsubscribe(listener))
  }
  on(diagnostics.tokenAccepted, ({ issuer, cached, duration }) =>
    accepted.observe({ issuer, cached: String(cached) }, duration / 1000),
  )
  on(diagnostics.tokenRefused, ({ issuer = '', code }) => refused.inc({ issuer, code }))
  on(diagnostics.keysFetched, ({ issuer, source }) =>
    fetches.inc({ issuer, outcome: source === 'store' ? 'shared' : 'answered' }),
  )
  on(diagnostics.refreshFailed, ({ issuer }) => fetches.inc({ issuer, outcome: 'failed' }))
  on(diagnostics.servedStale, ({ issuer }) => stale.inc({ issuer }))
  on(diagnostics.unknownKid, ({ issuer }) => unknown.inc({ issuer }))
  on(diagnostics.keyRemoved, ({ issuer }) => removed.inc({ issuer }))

  // Collected when they are read, since they change without an event.
  void new Gauge({
    ...common,
    name: 'jwks_auth_keys_age_seconds',
    help: 'Time since the fetch that brought an issuer’s current keys began',
    collect() {
      this.reset()
      for (const { issuer, age } of app.jwksStatus()) {
        if (age !== undefined) this.set({ issuer }, age / 1000)
      }
    },
  })
  void new Gauge({
    ...common,
    name: 'jwks_auth_issuer_up',
    help: '1 if the last fetch of an issuer’s keys succeeded or none was needed yet, otherwise 0',
    collect() {
      this.reset()
      for (const { issuer, reason } of app.jwksStatus()) this.set({ issuer }, reason === undefined ? 1 : 0)
    },
  })
  return registry
}
// #endregion

export async function build(options: JwksAuthOptions): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(jwksAuth, options)
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #region route
  const registry = measure(app)
  app.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
  // #endregion
  return app
}
