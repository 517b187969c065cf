import { test } from 'node:test'
import { refusals } from '../../../lib/errors.ts'
import { Hints } from '../../../lib/hints/hints.ts'
import type { ClaimRules } from '../../../lib/jwt/claims.ts'

/** How many hints are logged, and how many tokens are examined. */

const rules: ClaimRules = {
  audience: ['api'],
  clockTolerance: 0,
  maxTokenAge: undefined,
  requiredClaims: [],
  claims: new Map(),
  profile: undefined,
}

function start(): { hints: Hints; refuse: (claim: string) => void; messages: string[] } {
  const messages: string[] = []
  const log = (_details: object, message: string): void => void messages.push(message)
  const hints = new Hints([], { warn: log, info: log, debug: log })
  const refuse = (claim: string): void =>
    hints.refused({ refusal: refusals.claims, claim }, rules, { iss: 'https://id.example' }, 0)
  return { hints, refuse, messages }
}

test('at most ten refused tokens with a valid signature are examined in a second', (t) => {
  const { refuse, messages } = start()
  let time = 1
  t.mock.method(performance, 'now', () => time)
  for (let sent = 0; sent < 11; sent++) refuse(`claim${sent}`)
  t.assert.equal(messages.length, 10)
  time += 1_000
  refuse('claim10')
  t.assert.equal(messages.length, 11)
})

test('tokens with a valid signature are examined while others use up their limit', (t) => {
  const { hints, refuse, messages } = start()
  t.mock.method(performance, 'now', () => 1)
  for (let sent = 0; sent < 11; sent++) hints.malformedToken('a.b.c')
  hints.malformedToken('opaque')
  t.assert.deepEqual(messages, [])
  refuse('tenant')
  t.assert.equal(messages.length, 1)
})

test('at most 100 hints are logged, whatever the names of the claims are', (t) => {
  const { refuse, messages } = start()
  let time = 1
  t.mock.method(performance, 'now', () => (time += 1_000))
  for (let sent = 0; sent < 101; sent++) refuse(`claim${sent}`)
  t.assert.equal(messages.length, 100)
})
