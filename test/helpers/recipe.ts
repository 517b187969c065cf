import type { FastifyInstance } from 'fastify'
import type { IssuerOptions } from '../../lib/index.ts'
import { LocalIssuer } from './issuer.ts'

/** What of a test's or a suite's context is needed here. */
interface Context {
  after(callback: () => Promise<void>): void
}

/** An issuer and an application of an example that believes it, until the test ends. */
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
