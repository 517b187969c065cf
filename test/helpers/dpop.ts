import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { JwksAuthOptions } from '../../lib/index.ts'
import {
  createDPoPClient,
  createTestKey,
  type DPoPClient,
  type ProofOptions,
  type TestIssuer,
} from '../../lib/testing/index.ts'
import { createApp } from './app.ts'

/** The root of the applications in these tests, as their clients see it. */
export const baseUrl = 'https://api.example.com'
export const url = `${baseUrl}/secured`

/** The client that has the key of the tokens, and another one. */
export const client: DPoPClient = createDPoPClient()
export const thief: DPoPClient = createDPoPClient(createTestKey())

/** An application that accepts DPoP. */
export async function createDPoPApp(
  issuer: TestIssuer,
  dpop: JwksAuthOptions['dpop'] = { baseUrl },
  options: object = {},
): Promise<FastifyInstance> {
  return createApp({ ...issuer.options, dpop, ...options } as JwksAuthOptions)
}

/** Calls the route that requires a token, with the DPoP scheme. */
export async function callWithProof(
  app: FastifyInstance,
  token: string,
  proof: ProofOptions & { nonce?: string } = {},
  request: InjectOptions = {},
): Promise<LightMyRequestResponse> {
  const { nonce, ...options } = proof
  const headers = client.headers({ url, token, ...(nonce !== undefined && { nonce }) }, options)
  return app.inject({ url: '/secured', ...request, headers: { ...headers, ...request.headers } })
}

/** The code of a refusal, or the status of another answer. */
export function codeOf(response: LightMyRequestResponse): string | number {
  return response.statusCode < 300 ? response.statusCode : response.json<{ code: string }>().code
}
