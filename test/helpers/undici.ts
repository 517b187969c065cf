import type { Dispatcher } from '../../lib/fetch/dispatcher-client.ts'

interface Undici {
  Agent: new (options?: object) => Dispatcher & { compose(...interceptors: unknown[]): Dispatcher }
  EnvHttpProxyAgent: new (options?: object) => Dispatcher & { close(): Promise<void> }
  MockAgent: new () => Dispatcher & {
    get(origin: string): { intercept(options: object): { reply(status: number, body: object): void } }
  }
  interceptors: Record<'redirect' | 'retry', (options?: object) => unknown>
}

const packages = { 6: 'undici6', 7: 'undici', 8: 'undici8' }

export type UndiciVersion = keyof typeof packages

/** undici 8 does not load in Node before 22.19. */
const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
export const hasUndici8: boolean = major > 22 || (major === 22 && minor >= 19)

export async function loadUndici(version: UndiciVersion): Promise<Undici> {
  return import(packages[version]) as Promise<Undici>
}

/** The supported versions that load in this Node. */
export const undiciVersions: readonly UndiciVersion[] = hasUndici8 ? [6, 7, 8] : [6, 7]

/** The HTTP clients that fetch keys, by name: Node's own, and each of these versions. */
export const clients: ReadonlyMap<string, Dispatcher | undefined> = new Map([
  ['node:http', undefined],
  ...(await Promise.all(
    undiciVersions.map(async (version) => {
      const { Agent } = await loadUndici(version)
      return [`undici ${version}`, new Agent()] as const
    }),
  )),
])
