import { join } from 'node:path'
import autoload from '@fastify/autoload'
import Fastify, { type FastifyInstance } from 'fastify'
import type { IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  // #region app
  const app = Fastify()
  app.register(autoload, { dir: join(import.meta.dirname, 'plugins'), options: { issuer } })
  app.register(autoload, { dir: join(import.meta.dirname, 'routes') })
  // #endregion
  return app
}
