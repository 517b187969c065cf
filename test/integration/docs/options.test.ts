import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { runInNewContext } from 'node:vm'
import { readRule } from '../../../lib/authorization/rule.ts'
import type { IssuerSettings } from '../../../lib/options/issuer-options.ts'
import { readPluginOptions } from '../../../lib/options/plugin-options.ts'
import { docs } from './documents.ts'

// docs/options.md has each option, its default and its errors. The names and defaults come from the code, so an option that is added or
// changed must be in the document.

const page = readFileSync(join(docs, 'options.md'), 'utf8')
const [ofOptions, ofRules] = page.split('## Of a rule') as [string, string]
const sections = new Map(
  ofOptions.split(/^(?=##)/m).flatMap((section) => {
    const [, name, text] = /^### `(.+)`\n([^]*)/.exec(section) ?? []
    return name === undefined ? [] : [[name, text!] as const]
  }),
)

/** The required options, for rows without them. */
const good = { issuer: 'https://id.example', audience: 'api' }

test('every option has a section in docs/options.md, and every section is for an option', (t) => {
  const top = namesKnown({ ...good, '': 0 }).filter(
    (name) => !['prefix', 'logLevel', 'logSerializers'].includes(name),
  )
  const nested = ['jwks', 'cache', 'dpop', 'mtls'].flatMap((group) =>
    namesKnown({ ...good, [group]: { '': 0 } }).map((name) => `${group}.${name}`),
  )
  t.assert.deepEqual([...sections.keys()].toSorted(), [...top, ...nested].toSorted())
})

test('every section of docs/options.md has a type, a default and a table of errors', (t) => {
  for (const [name, text] of sections) {
    t.assert.match(text, /^\n- Type: .+\n- Default: .+\n/, name)
    t.assert.match(text, /^\| wrong +\| error +\|$/m, name)
  }
})

test('the defaults in docs/options.md are those of the library', (t) => {
  const { issuers, jwks, cache, scopes, dpop, mtls, ...plugin } = readPluginOptions({
    ...good,
    dpop: { baseUrl: 'https://api.example' },
    mtls: {},
  })
  const { clockTolerance, requiredClaims, maxTokenAge, profile } = (issuers as IssuerSettings[])[0]!.rules
  const shown = (value: unknown): string =>
    value === undefined ? 'off' : `\`${JSON.stringify(value).replaceAll('"', "'")}\``
  const defaults: Record<string, unknown> = {
    clockTolerance,
    requiredClaims,
    maxTokenAge,
    profile,
    global: plugin.global,
    scopeClaims: scopes.scopeClaims,
    decoratorName: plugin.decoratorName,
    realm: plugin.realm,
    allowInsecureIssuers: plugin.allowInsecureIssuers,
    'dpop.mode': dpop!.mode,
    'dpop.proofMaxAge': dpop!.proofMaxAge,
    'dpop.maxProofs': dpop!.maxProofs,
    'mtls.mode': mtls!.mode,
    'cache.max': cache!.max,
    'cache.maxBytes': cache!.maxBytes,
  }
  for (const [name, value] of Object.entries(jwks)) {
    if (name !== 'dispatcher') defaults[`jwks.${name}`] = value
  }
  for (const [name, value] of Object.entries(defaults)) {
    t.assert.equal(/^- Default: (.+)$/m.exec(sections.get(name)!)![1], shown(value), name)
  }
})

test('the algorithms in docs/options.md are those of the library', (t) => {
  const listed = (options: object): unknown => {
    const { issuers } = readPluginOptions({ ...good, ...options })
    return [...(issuers as IssuerSettings[])[0]!.algorithms]
  }
  const [asymmetric, symmetric] = /^- Type: (.+)$/m.exec(sections.get('algorithms')!)![1]!.split(';')
  const names = (text: string): string[] => Array.from(text.matchAll(/'(\w+)'/g), ([, name]) => name!)
  t.assert.deepEqual(names(asymmetric!), listed({}))
  const secret = 'x'.repeat(64)
  t.assert.deepEqual(names(symmetric!), listed({ secret, algorithms: names(symmetric!) }))
  t.assert.deepEqual(listed({ secret }), ['HS256'])
})

test('the error for an option of jwks at the top level is the one in docs/options.md', (t) => {
  const [, error, name] = /`(is unknown; did you mean "jwks\.(\w+)"\?)`/.exec(page)!
  t.assert.match(
    messageOf(() => readPluginOptions({ ...good, [name!]: 1 })),
    startingWith(name!, error!),
  )
})

suite('the errors in docs/options.md', () => {
  for (const [name, text] of sections) {
    for (const { wrong, error } of rows(text)) {
      test(`the error for ${wrong} is the one in docs/options.md under ${name}`, (t: TestContext) => {
        const options = valueOf(wrong)
        const isWhole = ['issuer', 'domain', 'audience', 'issuers'].some((own) => Object.hasOwn(options, own))
        const given = isWhole ? options : { ...good, ...options }
        t.assert.match(
          messageOf(() => readPluginOptions(given)),
          startingWith(name, error),
        )
      })
    }
  }

  for (const { wrong, error } of rows(ofRules)) {
    test(`the error for the rule ${wrong} is the one in docs/options.md`, (t: TestContext) => {
      t.assert.match(
        messageOf(() => readRule(valueOf(wrong))),
        startingWith('authorize', error),
      )
    })
  }
})

test('every member of a rule has a row in docs/options.md', (t) => {
  const known = / known are (.+)$/.exec(messageOf(() => readRule({ '': 0 })))![1]!.split(', ')
  const [members] = ofRules.split('| wrong')
  const named = Array.from(members!.matchAll(/^\| `(\w+)` +\|/gm), ([, name]) => name!)
  t.assert.deepEqual(named.toSorted(), known.toSorted())
})

/** The names that an error lists for an option that doesn't exist. */
function namesKnown(options: object): string[] {
  return / known are (.+)$/.exec(messageOf(() => readPluginOptions(options)))![1]!.split(', ')
}

function rows(text: string): { wrong: string; error: string }[] {
  return Array.from(text.matchAll(/^\| `(\{.*\}|undefined)` +\| `(.+)` +\|$/gm), ([, wrong, error]) => ({
    wrong: wrong!,
    error: error!,
  }))
}

function valueOf(code: string): Record<string, unknown> {
  return runInNewContext(`(${code})`) as Record<string, unknown>
}

/** Matches an error of the option, of an entry or of a member of it. For misplaced options of `issuers` it is any option. */
function startingWith(name: string, error: string): RegExp {
  const place = name === 'issuers' ? '.+' : `${escaped(name)}(?:[.[].+)?`
  // The document says in general that the error for an empty string asks about an environment variable.
  const end = '(?:; is an environment variable unset\\?)?'
  return new RegExp(`^fastify-jwks-auth: option "${place}" ${escaped(error)}${end}$`)
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function messageOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof TypeError) return error.message
    throw error
  }
  return 'nothing is thrown'
}
