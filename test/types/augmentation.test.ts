import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite, test } from 'node:test'

/**
 * JwksAuthTypes can be augmented only once in a program, and then for all of it: so each of these is a program of
 * its own, which sees the declarations as they are published.
 */

const root = resolve(import.meta.dirname, '../..')
const imports = `
  import { expectTypeOf } from 'expect-type'
  import type { FastifyRequest } from 'fastify'
  import type { AccessTokenClaims, JwksAuthOptions } from 'fastify-jwks-auth'

  declare const request: FastifyRequest
  declare const options: JwksAuthOptions
  type Parameter<Name extends 'formatUser' | 'isRevoked'> = Parameters<NonNullable<JwksAuthOptions[Name]>>[0]
`

const programs: [title: string, source: string][] = [
  [
    'claims of the application are those of the user, the access token and the callbacks',
    `
      declare module 'fastify-jwks-auth' {
        interface JwksAuthTypes {
          claims: { tenant: string }
        }
      }
      expectTypeOf(request.user).toEqualTypeOf<AccessTokenClaims & { tenant: string }>()
      expectTypeOf(request.user.tenant).toEqualTypeOf<string>()
      expectTypeOf(request.user.sub).toEqualTypeOf<string | undefined>()
      expectTypeOf(request.accessToken!.claims.tenant).toEqualTypeOf<string>()
      expectTypeOf<Parameter<'formatUser'>['tenant']>().toEqualTypeOf<string>()
      expectTypeOf<Parameter<'isRevoked'>['tenant']>().toEqualTypeOf<string>()
      // @ts-expect-error - the tenant is missing
      options.formatUser = () => ({ iss: 'https://issuer.example', exp: 0 })
    `,
  ],
  [
    'a user of the application is what formatUser makes, beside the claims',
    `
      declare module 'fastify-jwks-auth' {
        interface JwksAuthTypes {
          claims: { tenant: string }
          user: { id: string } | null
        }
      }
      expectTypeOf(request.user).toEqualTypeOf<{ id: string } | null>()
      expectTypeOf(request.accessToken!.claims.tenant).toEqualTypeOf<string>()
      options.formatUser = ({ tenant, sub }) => (sub === undefined ? null : { id: tenant + sub })
      options.formatUser = async () => ({ id: 'someone' })
      // @ts-expect-error - not such a user
      options.formatUser = (claims) => claims
      // @ts-expect-error - the claims are elsewhere
      void request.user?.sub
    `,
  ],
]

function compile(...args: string[]): string {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return spawnSync(process.execPath, [tsc, ...args], { encoding: 'utf8' }).stdout
}

suite('the types of an application', async () => {
  for (const [title, source] of programs) {
    test(title, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), 'types-'))
      t.after(() => rm(directory, { recursive: true }))
      const file = (name: string): string => join(directory, name)
      const build = [
        '-p',
        join(root, 'tsconfig.build.json'),
        '--emitDeclarationOnly',
        '--outDir',
        file('dist'),
      ]
      t.assert.equal(compile(...build), '')
      await symlink(join(root, 'node_modules'), file('node_modules'), 'dir')
      await writeFile(file('package.json'), '{ "type": "module" }')
      await writeFile(file('program.ts'), imports + source)
      const tsconfig = {
        extends: join(root, 'tsconfig.json'),
        compilerOptions: { paths: { 'fastify-jwks-auth': [file('dist/index.d.ts')] }, noUnusedLocals: false },
        include: ['program.ts'],
      }
      await writeFile(file('tsconfig.json'), JSON.stringify(tsconfig))
      t.assert.equal(compile('-p', directory), '')
    })
  }
})
