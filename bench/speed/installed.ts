import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { table, type Row } from './report.ts'

// Run as bench/dist/speed/installed.js.
const bench = fileURLToPath(new URL('../..', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

interface Locked {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
}

type Lock = Readonly<Record<string, Locked>>

/** What each package adds to an install of its framework, from the lock files and the installed folders. */
export function installedSize(): string {
  const fastify = tree(root, ['node_modules/fastify'])
  const express = tree(bench, ['node_modules/express'])
  const inBench = (...names: string[]): Map<string, number> =>
    tree(
      bench,
      names.map((name) => `node_modules/${name}`),
    )
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Locked
  const plugin = tree(
    root,
    Object.keys(manifest.dependencies!).map((name) => `node_modules/${name}`),
  )
  plugin.set(
    'fastify-jwks-auth',
    ['dist', 'package.json', 'README.md', 'LICENSE']
      .map((name) => sizeOf(join(root, name)))
      .reduce((a, b) => a + b),
  )
  return table(
    ['', 'packages', 'KiB'],
    [
      row('fastify', fastify),
      row('+ fastify-jwks-auth', plugin, fastify),
      row('+ @fastify/jwt, get-jwks', inBench('@fastify/jwt', 'get-jwks'), fastify),
      row('+ fastify-jwt-jwks', inBench('fastify-jwt-jwks'), fastify),
      row('+ jose', inBench('jose'), fastify),
      row('+ aws-jwt-verify', inBench('aws-jwt-verify'), fastify),
      row('express', express),
      row('+ express-jwt, jwks-rsa', inBench('express-jwt', 'jwks-rsa'), express),
      row('+ express-oauth2-jwt-bearer', inBench('express-oauth2-jwt-bearer'), express),
    ],
  )
}

function row(name: string, packages: ReadonlyMap<string, number>, present = new Map<string, number>()): Row {
  const added = [...packages].filter(([id]) => !present.has(id))
  return [name, added.length, Math.round(added.reduce((sum, [, bytes]) => sum + bytes, 0) / 1024)]
}

/** The bytes of packages and all their dependencies, by name and version. */
function tree(directory: string, paths: readonly string[]): Map<string, number> {
  const text = readFileSync(join(directory, 'package-lock.json'), 'utf8')
  const lock = (JSON.parse(text) as { packages: Lock }).packages
  const found = new Map<string, number>()
  const pending = [...paths]
  const seen = new Set<string>()
  for (const path of pending) {
    if (seen.has(path)) continue
    seen.add(path)
    const { version, dependencies = {} } = lock[path]!
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    found.set(`${name} ${version}`, sizeOf(join(directory, path)))
    pending.push(...Object.keys(dependencies).map((dependency) => resolve(lock, path, dependency)))
  }
  return found
}

/** Where Node finds a dependency: in the folder of the package, or in one above. */
function resolve(lock: Lock, from: string, name: string): string {
  for (let place = from; ; place = place.slice(0, place.lastIndexOf('node_modules/')).replace(/\/$/, '')) {
    const path = place === '' ? `node_modules/${name}` : `${place}/node_modules/${name}`
    if (path in lock) return path
    if (place === '') throw new Error(`${name} is not in the lock file`)
  }
}

/** Bytes of all files, without those of packages inside. */
function sizeOf(path: string): number {
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
