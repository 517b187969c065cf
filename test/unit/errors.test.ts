import { test } from 'node:test'
import { JwksAuthError, refusals } from '../../lib/errors.ts'

test('a refusal has no stack frames, and the stack trace limit of the process stays', (t) => {
  const limit = Error.stackTraceLimit
  const error = new JwksAuthError(refusals.expired)
  t.assert.equal(error.stack, 'JwksAuthError: token is expired')
  t.assert.equal(Error.stackTraceLimit, limit)
})

test('a refusal that throws when it is made restores the stack trace limit of the process', (t) => {
  const limit = Error.stackTraceLimit
  const message = Symbol('a message that is no text') as unknown as string
  t.assert.throws(() => new JwksAuthError({ ...refusals.expired, message }), TypeError)
  t.assert.equal(Error.stackTraceLimit, limit)
})
