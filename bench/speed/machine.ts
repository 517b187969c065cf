import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'

// Run as bench/dist/speed/machine.js.
const places = { plugin: new URL('../../../', import.meta.url), peers: new URL('../../', import.meta.url) }
const packages = {
  plugin: ['fastify', 'fast-jwt', 'get-jwks'],
  peers: [
    '@fastify/jwt',
    'fastify-jwt-jwks',
    'jose',
    'aws-jwt-verify',
    'express',
    'express-jwt',
    'jwks-rsa',
    'express-oauth2-jwt-bearer',
  ],
}

/** The machine, and the versions that are measured. */
export function machine(): string {
  const processors = cpus()
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  const versions = (['plugin', 'peers'] as const).flatMap((place) =>
    packages[place].map((name) => `${name} ${versionOf(name, places[place])}`),
  )
  return [
    `${processors.length} cores of ${processors[0]!.model.trim()}, ${gibibytes} GiB, ${type()} ${release()}, Node ${process.version}.`,
    `${versions.join(', ')}.`,
  ].join('\n\n')
}

function versionOf(name: string, place: URL): string {
  const manifest = readFileSync(new URL(`node_modules/${name}/package.json`, place), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
