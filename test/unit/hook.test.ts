import { suite, test } from 'node:test'
import { createHook, type CheckResult } from '../../lib/hook.ts'

const failure = new Error('refused')
const steps: Record<string, [step: () => CheckResult, result: unknown]> = {
  'that is synchronous': [() => undefined, undefined],
  'that is asynchronous': [async () => {}, undefined],
  'that throws': [
    () => {
      throw failure
    },
    failure,
  ],
  'that rejects': [async () => Promise.reject(failure), failure],
}

const thrown = (value: unknown): (() => never) => {
  return () => {
    throw value
  }
}

for (const [title, [step, result]] of Object.entries(steps)) {
  suite(`a hook ${title}`, () => {
    test(`a hook ${title} may be awaited`, async (t) => {
      const run = createHook(step)
      const outcome = Promise.resolve(run({}, {})).then(
        () => undefined,
        (error: unknown) => error,
      )
      t.assert.equal(await outcome, result)
    })

    for (const [where, args] of [
      ['', []],
      [' after a payload', [{ payload: true }]],
    ] as const) {
      test(`a hook ${title} calls its callback${where} once and returns no promise`, async (t) => {
        const calls: unknown[][] = []
        await new Promise<void>((resolve) => {
          const done = (...results: unknown[]): void => {
            calls.push(results)
            resolve()
          }
          const [third, fourth] = [...args, done]
          t.assert.equal(createHook(step)({}, {}, third, fourth as () => void), undefined)
        })
        t.assert.deepEqual(
          calls.map(([error]) => error),
          [result],
        )
      })
    }
  })
}

test('a synchronous hook calls its callback synchronously', (t) => {
  let isDone = false
  void createHook(() => undefined)({}, {}, () => {
    isDone = true
  })
  t.assert.equal(isDone, true)
})

for (const nothing of [undefined, null, 0, '', false]) {
  for (const [how, step] of [
    ['throws', thrown(nothing)],
    ['rejects with', async () => thrown(nothing)()],
  ] as const) {
    test(`a hook that ${how} ${JSON.stringify(nothing)} refuses with an error`, async (t) => {
      const error = await new Promise((resolve) => void createHook(step)({}, {}, resolve))
      t.assert.match(String(error), /^Error: .*by throwing nothing$/)
      await t.assert.rejects(async () => createHook(step)({}, {}), { message: (error as Error).message })
    })
  }
}

test('a hook that throws a promise refuses the request without waiting for the promise', async (t) => {
  const value = Promise.resolve()
  const [error] = await new Promise<[unknown]>((resolve) => {
    void createHook(thrown(value))({}, {}, (refusal: unknown) => resolve([refusal]))
  })
  t.assert.equal(error, value)
  let isRefused = false
  await createHook(thrown(value))({}, {})!.catch(() => (isRefused = true))
  t.assert.equal(isRefused, true)
})

test('an error thrown by the callback is not passed to the callback', (t) => {
  const calls: unknown[] = []
  const run = createHook(() => undefined)
  t.assert.throws(
    () =>
      void run({}, {}, (error?: unknown) => {
        calls.push(error)
        throw failure
      }),
    failure,
  )
  t.assert.deepEqual(calls, [undefined])
})

test('a hook that is called without arguments throws a TypeError with the correct usage', (t) => {
  const run = createHook(() => undefined) as () => unknown
  t.assert.throws(() => run(), {
    name: 'TypeError',
    message: /onRequest: authenticate, without \(\)/,
  })
})
