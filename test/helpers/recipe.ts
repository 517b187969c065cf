import type { FastifyInstance } from 'fastify'
import type { IssuerOptions } from '../../lib/index.ts'
import { LocalIssuer } from './issuer.ts'

/** The context of a test or a suite. */
interface Context {
  after(callback: () => Promise<void>): void
}

/** Starts an issuer, and the application of an example that accepts its tokens. Both end with the test. */
export async function setUp(
  t: Context,
  build: (issuer: IssuerOptions) => Promise<FastifyInstance>,
): Promise<{ issuer: LocalIssuer; app: FastifyInstance }> {
  const issuer = await LocalIssuer.start()
  const app = await build({ issuer: issuer.issuer, audience: 'api' })
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  return { issuer, app }
}
