import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../../..')

function compile(...args: string[]): string {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return spawnSync(process.execPath, [tsc, ...args], { encoding: 'utf8' }).stdout
}

/**
 * What the compiler says of a program of its own, which sees the declarations as they are published: an interface that
 * applications augment can be augmented only once in a program, and then for all of it.
 */
export function compileProgram(source: string, compilerOptions: object = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'types-'))
  const file = (name: string): string => join(directory, name)
  try {
    const build = ['-p', join(root, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', file('dist')]
    const errors = compile(...build)
    if (errors !== '') return errors
    symlinkSync(join(root, 'node_modules'), file('node_modules'), 'dir')
    writeFileSync(file('package.json'), '{ "type": "module" }')
    writeFileSync(file('program.ts'), source)
    const tsconfig = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        paths: { 'fastify-jwks-auth': [file('dist/index.d.ts')] },
        noUnusedLocals: false,
        ...compilerOptions,
      },
      include: ['program.ts'],
    }
    writeFileSync(file('tsconfig.json'), JSON.stringify(tsconfig))
    return compile('-p', directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
