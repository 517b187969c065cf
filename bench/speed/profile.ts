import type { Profiler } from 'node:inspector'
import { createKey, type Issuer } from '../issuer.ts'
import { ours } from './field.ts'
import { Server, type LoadGenerator } from './processes.ts'
import { figure, table } from './report.ts'
import type { Size } from './size.ts'
import { createTokens, forge } from './tokens.ts'

type Frame = Pick<Profiler.ProfileNode['callFrame'], 'functionName' | 'url'>

/** Whose time a frame's is, and that of what it calls; the first that fits. Frames of nobody here are their caller's. */
const owners: readonly (readonly [owner: string, isOwner: (frame: Frame) => boolean])[] = [
  ['waiting', ({ functionName }) => functionName === '(idle)'],
  ['garbage collection', ({ functionName }) => functionName === '(garbage collector)'],
  ['the signature itself', ({ url }) => url === 'node:internal/crypto/sig'],
  ['the digest of the token', ({ url }) => url === 'node:internal/crypto/hash'],
  ['fast-jwt around the signature', ({ url }) => url.includes('/node_modules/fast-jwt/')],
  [
    'keys (lib/keys, get-jwks)',
    ({ url }) => /\/dist\/(issuers\.js|keys\/)|\/(get-jwks|mnemonist)\//.test(url),
  ],
  [
    'the cache (lib/cache, lru-cache)',
    ({ url }) => /\/dist\/(cache|recent-numbers)\.js|\/lru-cache\//.test(url),
  ],
  ['reading the token (lib/token, lib/origins)', ({ url }) => /\/dist\/(token|origins)\.js$/.test(url)],
  ['checking and freezing claims', ({ url }) => /\/dist\/(checks|json)\.js$/.test(url)],
  [
    'the rest of the plugin',
    ({ url }) => /\/dist\/[\w-]+\.js$|\/dist\/http\//.test(url) && !url.includes('/bench/'),
  ],
  ['answering (Fastify)', ({ url }) => url.includes('/node_modules/') || url.includes('/bench/dist/')],
]
const others = 'answering (Node)'

/** Shares of the server's time by where it went: samples of the stack, each counted for the innermost owner in it. */
export async function profiles(issuer: Issuer, load: LoadGenerator, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const tokens = await createTokens(issuer.data, key, size.newTokens)
  const warmUp = size.warmUp
  const users = tokens.slice(0, 200)
  const workloads: readonly (readonly [string, readonly string[]])[] = [
    ['new tokens', tokens.slice(warmUp)],
    ['seen tokens', users],
    ['forged tokens', users.map((token, n) => forge(token, n))],
  ]
  const shares: Map<string, number>[] = []
  for (const [name, work] of workloads) {
    await using server = await Server.start(ours, issuer)
    const milliseconds = 3_000
    const asked = { from: 0, milliseconds, count: warmUp }
    const store = (title: string, all: readonly string[]): string =>
      load.store(
        `${name}, ${title}`,
        all.map((token) => `Bearer ${token}`),
      )
    await load.measure(server, { ...asked, file: store('good', tokens.slice(0, warmUp)) })
    const file = store('profiled', work)
    await load.measure(server, { ...asked, file, count: 2 * users.length })
    await server.beginProfile()
    await load.measure(server, { ...asked, file, count: size.newTokens - warmUp })
    shares.push(sharesOf(await server.endProfile()))
    process.stderr.write(`profiled: ${name}\n`)
  }
  const names = [...owners.map(([owner]) => owner), others].filter((name) => name !== 'waiting')
  const rows = names.map((name) => [name, ...shares.map((share) => `${figure(share.get(name) ?? 0)} %`)])
  return table(['', ...workloads.map(([name]) => name)], rows)
}

/** Percent of the samples that were not idle. */
function sharesOf({ nodes, samples = [] }: Profiler.Profile): Map<string, number> {
  const ownerById = new Map<number, string>()
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  )
  // Parents stand before their children.
  for (const { id, callFrame } of nodes) {
    const own = owners.find(([, isOwner]) => isOwner(callFrame))?.[0]
    ownerById.set(id, own ?? ownerById.get(parents.get(id) ?? -1) ?? others)
  }
  const counts = new Map<string, number>()
  for (const sample of samples) {
    const owner = ownerById.get(sample)!
    counts.set(owner, (counts.get(owner) ?? 0) + 1)
  }
  const busy = samples.length - (counts.get('waiting') ?? 0)
  return new Map(Array.from(counts, ([owner, count]) => [owner, (100 * count) / busy]))
}
