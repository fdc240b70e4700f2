import { describe, expect, test } from 'vitest'
import { isIdempotencyError } from '../../src/core/errors.ts'
import type { RunContext } from '../../src/core/run-context.ts'
import { deferred } from '../support/deferred.ts'
import { answer, eventsOf } from '../support/engine-rig.ts'
import { createRuns, failure, id, leaveUnknown, never, overtake, request } from '../support/run-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

describe('a result', () => {
  test.each([
    ['an object', { id: 1, tags: ['a'], none: null }, { id: 1, tags: ['a'], none: null }],
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['undefined members', { a: undefined, b: 1 }, { b: 1 }],
    ['a Map', new Map([[1, 2]]), {}],
    ['NaN', Number.NaN, null],
    ['null', null, null],
    ['false', false, false],
    ['an empty string', '', ''],
    ['half of a surrogate pair', '\ud800', '\ud800'],
    ['a toJSON of its own', { toJSON: () => 'own' }, 'own'],
    ['undefined', undefined, undefined],
  ])('%s comes back as JSON gives it, on the first run too', async (_, value, expected) => {
    const { once } = createRuns()
    let runs = 0
    const fn = () => {
      runs += 1
      return value
    }
    expect(await once.run(request, fn)).toEqual(expected)
    expect(await once.run(request, fn)).toEqual(expected)
    expect(runs).toBe(1)
  })

  test.each([
    ['a bigint', 1n],
    ['a function', () => {}],
    ['a symbol', Symbol('s')],
    ['a cycle', cycle()],
    [
      'a toJSON that throws',
      {
        toJSON() {
          throw new Error('no')
        },
      },
    ],
  ])('%s is no JSON: the effect stands, and is never made again', async (_, value) => {
    const { rig, once } = createRuns()
    let runs = 0
    const fn = () => {
      runs += 1
      return value
    }
    const error = await failure(once.run(request, fn))
    expect(error).toMatchObject({ code: 'result-not-serializable' })
    expect(error.message).toMatch(/The function ran/)
    expect(await failure(once.run(request, fn))).toMatchObject({
      code: 'response-not-kept',
      problem: { extensions: { originalStatus: 200, reason: 'not-serializable' } },
    })
    expect(runs).toBe(1)
    expect(eventsOf(rig, 'completed')).toMatchObject([{ failed: false, tombstone: 'not-serializable' }])
  })

  test('of 100 calls at once is made once, and given to those who wait', async () => {
    const { rig, once } = createRuns()
    const gate = deferred<number>()
    const calls = Array.from({ length: 100 }, () =>
      once.run({ ...request, concurrent: { wait: '10s' } }, () => gate.promise),
    )
    await rig.time.advance(50)
    gate.resolve(17)
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, () => 17))
    expect(eventsOf(rig, 'claimed')).toHaveLength(1)
  })

  test('that was recorded by an operator and is no JSON is an error, not nonsense', async () => {
    const { rig, once } = createRuns()
    await leaveUnknown(rig, once)
    await rig.store.inspect?.settle(id, { kind: 'response', response: answer('<html>', 200) })
    expect(await failure(once.run(request, never))).toMatchObject({ code: 'response-not-kept' })
  })
})

describe('an error', () => {
  class CardError extends Error {
    override readonly name = 'CardError'
  }

  test('is thrown as it is to the first caller, and to the others as a recorded failure', async () => {
    const { rig, once } = createRuns()
    const thrown = new CardError('card declined')
    expect(await failure(once.run(request, () => Promise.reject(thrown)))).toBe(thrown)
    const error = await failure(once.run(request, never))
    expect(error).toMatchObject({
      code: 'recorded-failure',
      message: 'An earlier run of this key failed: card declined',
      cause: { name: 'CardError', message: 'card declined' },
    })
    expect(error.cause).toBeInstanceOf(Error)
    expect(isIdempotencyError(error)).toBe(true)
    expect(eventsOf(rig, 'completed')).toMatchObject([{ status: 500, failed: true }])
  })

  test.each([
    ['a string', 'broken', 'broken'],
    ['undefined', undefined, 'undefined'],
    ['an object without a prototype', Object.create(null), 'a value was thrown that has no text'],
    ['an object like an error', { name: 'Foreign', message: 'broken' }, 'broken'],
    [
      'an error whose message can not be read',
      Object.defineProperty(new Error('x'), 'message', {
        get() {
          throw new Error('no')
        },
      }),
      'a value was thrown that has no text',
    ],
  ])('may be anything: %s', async (_, thrown, message) => {
    const { once } = createRuns()
    let caught: unknown = 'nothing'
    await once
      .run(request, () => {
        throw thrown
      })
      .catch((error: unknown) => (caught = error))
    expect(caught).toBe(thrown)
    expect(await failure(once.run(request, never))).toMatchObject({
      code: 'recorded-failure',
      cause: { message },
    })
  })

  test('under rerun lets the next call run', async () => {
    const { once } = createRuns()
    const attempts: number[] = []
    const fn = ({ attempt }: RunContext) => {
      attempts.push(attempt)
      if (attempt < 3) throw new Error('not yet')
      return 'done'
    }
    const rerun = { ...request, recovery: 'rerun' as const }
    await failure(once.run(rerun, fn))
    await failure(once.run(rerun, fn))
    expect(await once.run(rerun, fn)).toBe('done')
    expect(await once.run(rerun, never)).toBe('done')
    expect(attempts).toEqual([1, 2, 3])
  })

  test('of a run that was overtaken is the cause of outcome-unknown', async () => {
    const { rig, once } = createRuns()
    const thrown = new Error('slow and broken')
    const error = await failure(
      once.run({ ...request, recovery: 'rerun' }, async () => {
        await overtake(rig)
        throw thrown
      }),
    )
    expect(error).toMatchObject({ code: 'outcome-unknown' })
    expect(error.cause).toBe(thrown)
  })

  test('that an operator recorded with a body of any form', async () => {
    const { rig, once } = createRuns()
    await leaveUnknown(rig, once)
    await rig.store.inspect?.settle(id, { kind: 'response', response: answer('not JSON', 409) })
    expect(await failure(once.run(request, never))).toMatchObject({
      code: 'recorded-failure',
      cause: { message: 'status 409' },
    })
  })
})

function cycle(): object {
  const value: { self?: object } = {}
  value.self = value
  return value
}
