import { createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { Agent, get } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import type { Exchange, IssuerData, LocalServer } from '../contestant.ts'
import { contestants } from '../contestants/index.ts'
import type { Algorithm } from '../issuer.ts'
import { hashOf } from './tokens.ts'

/** Verifies tokens one after another, and returns the CPU time of that in microseconds, without what had to be prepared. */
export type Slice = (tokens: readonly string[]) => Promise<number>

/** The unit: `crypto.verify` of a signature. The parts of the token and the key are made before. */
export function bareVerification(algorithm: Algorithm, jwk: object): Slice {
  const key = {
    key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363' as const,
  }
  const hash = hashOf(algorithm)
  return async (tokens) => {
    const parts = tokens.map((token) => {
      const dot = token.lastIndexOf('.')
      return {
        content: Buffer.from(token.slice(0, dot)),
        signature: Buffer.from(token.slice(dot + 1), 'base64url'),
      }
    })
    const begin = process.cpuUsage()
    for (const { content, signature } of parts) {
      if (!verify(hash, content, key, signature)) throw new Error('crypto.verify refused a token')
    }
    return microsecondsSince(begin)
  }
}

/**
 * The hook of a contestant, called as its framework calls it, with requests that a server has really received.
 *
 * @param tokens - As many as a slice has. The first one makes the contestant fetch its keys.
 * @param boundToken - A token that comes with each request, whose slices are then of proofs.
 */
export async function hookOf(
  name: string,
  issuer: IssuerData,
  tokens: readonly string[],
  boundToken?: string,
): Promise<Slice> {
  const contestant = await contestants[name]!()
  const server = await contestant.start(issuer)
  await fetchKeys(server, tokens[0]!)
  await receive(server, tokens.length)
  const { hook, held } = server
  const restore = held.map(restorer)

  const slice: Slice = async (tokens) => {
    for (const [index, token] of tokens.entries()) {
      restore[index]!()
      const { headers } = held[index]!
      headers.authorization = copyOf(boundToken === undefined ? `Bearer ${token}` : `DPoP ${boundToken}`)
      if (boundToken !== undefined) headers.dpop = copyOf(token)
    }
    let accepted = 0
    const done = (error?: unknown): void => {
      if (error) throw error as Error
      accepted += 1
    }
    const begin = process.cpuUsage()
    for (let index = 0; index < tokens.length; index += 1) {
      const { request, reply } = held[index]!
      const promise = hook(request, reply, done)
      if (promise) {
        await promise
        accepted += 1
      }
    }
    const microseconds = microsecondsSince(begin)
    if (accepted !== tokens.length) throw new Error(`it accepted ${accepted} of ${tokens.length} tokens`)
    for (const [index, token] of tokens.entries()) assertAuthenticated(held[index]!, boundToken ?? token)
    return microseconds
  }
  return (tokens) =>
    slice(tokens).catch((error) => {
      throw new Error(`${name} refused a token`, { cause: error })
    })
}

/** CPU time of all threads of this process. */
function microsecondsSince(begin: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begin)
  return user + system
}

/** Keys are fetched by the first request. */
async function fetchKeys({ url }: LocalServer, token: string): Promise<void> {
  const response = await fetch(`${url}/secured/ping`, { headers: { authorization: `Bearer ${token}` } })
  if (!response.ok) throw new Error(`a token was answered with ${response.status}`)
}

/** Sends requests that are held without an answer until this process ends. */
async function receive({ url, held }: LocalServer, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const headers = { authorization: 'Bearer token' }
  for (let index = 0; index < count; index += 1) get(`${url}/held`, { agent, headers })
  while (held.length < count) await setTimeout(1)
}

/** A function that resets the request to the state in which a hook gets it. */
function restorer({ request }: Exchange): () => void {
  const members = request as Record<PropertyKey, unknown>
  const original = new Map(Reflect.ownKeys(members).map((name) => [name, members[name]]))
  return () => {
    for (const name of Reflect.ownKeys(members)) {
      if (members[name] !== original.get(name)) members[name] = original.get(name)
    }
  }
}

/** A string of its own, as each request brings one. Comparing a string with itself would cost nothing. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Makes sure that this plugin really had to authenticate the request, and didn't find it authenticated by an earlier call. */
function assertAuthenticated({ request }: Exchange, token: string): void {
  const { accessToken } = request as { accessToken?: { raw: string } | null }
  if (accessToken !== undefined && accessToken?.raw !== token)
    throw new Error('the request has another token')
}
