import { describe, expect, test } from 'vitest'
import type { RunContext } from '../../src/core/run-context.ts'
import type { Idempotency } from '../../src/core/idempotency.ts'
import { createIdempotency } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { eventsOf } from '../support/engine-rig.ts'
import { createRuns, failure, leaveUnknown, never, overtake, request } from '../support/run-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

describe('in the function', () => {
  test('key, scope, attempt, token and signal', async () => {
    const { once } = createRuns()
    const seen = await contextOf(once)
    expect(seen).toMatchObject({ key: 'event-1', scope: 'stripe', attempt: 1 })
    expect(Number.isSafeInteger(seen.token)).toBe(true)
    expect(seen.signal).toBeInstanceOf(AbortSignal)
    expect(seen.signal.aborted).toBe(false)
  })

  test('release() lets the next call run, whatever became of this one', async () => {
    const { once } = createRuns()
    expect(await once.run(request, ({ release }) => (release(), 'nothing yet'))).toBe('nothing yet')
    await failure(
      once.run(request, ({ release }) => {
        release()
        throw new Error('nothing either')
      }),
    )
    expect(await once.run(request, ({ attempt }) => attempt)).toBe(3)
  })

  test('keep() keeps a failure that would be released', async () => {
    const { once } = createRuns()
    const rerun = { ...request, recovery: 'rerun' as const }
    await failure(
      once.run(rerun, ({ keep }) => {
        keep()
        throw new Error('for good')
      }),
    )
    expect(await failure(once.run(rerun, never))).toMatchObject({ code: 'recorded-failure' })
  })

  test('the signal aborts when another took over, and the result is not told', async () => {
    const { rig, once } = createRuns()
    const error = await failure(
      once.run({ ...request, recovery: 'rerun' }, async ({ signal }) => {
        await overtake(rig)
        await rig.time.advance(1)
        return signal.aborted
      }),
    )
    expect(error).toMatchObject({ code: 'outcome-unknown' })
    expect(eventsOf(rig, 'lease-lost')).toHaveLength(1)
  })
})

describe('recovery by a function', () => {
  test('gives { value } to this call and to all later ones', async () => {
    const { rig, once } = createRuns()
    await leaveUnknown(rig, once)
    const asked: unknown[] = []
    const recovery = (context: unknown) => {
      asked.push(context)
      return { value: { at: new Date(0) } }
    }
    const expected = { at: '1970-01-01T00:00:00.000Z' }
    expect(await once.run({ ...request, recovery }, never)).toEqual(expected)
    expect(await once.run(request, never)).toEqual(expected)
    expect(asked).toMatchObject([{ key: 'event-1', scope: 'stripe', attempt: 2, earlier: 'unknown' }])
  })

  test('is told of an error that was recorded', async () => {
    const { once } = createRuns()
    const find = { ...request, recovery: () => 'refuse' as const }
    await failure(once.run(find, () => Promise.reject(new Error('broken'))))
    let earlier: string | undefined
    const recovery = (context: { earlier: string }) => {
      earlier = context.earlier
      return 'rerun' as const
    }
    expect(await once.run({ ...request, recovery }, () => 'now it works')).toBe('now it works')
    expect(earlier).toBe('failed')
  })

  test.each([
    ['a bare result', { id: 1 }],
    ['nothing', undefined],
    ['null', null],
  ])('that returns %s has failed: it is not recorded as the result', async (_, returned) => {
    const { rig, once } = createRuns()
    await leaveUnknown(rig, once)
    // What plain JavaScript may return.
    const recovery = (() => returned) as unknown as () => 'refuse'
    expect(await failure(once.run({ ...request, recovery }, never))).toMatchObject({
      code: 'outcome-unknown',
    })
    expect(eventsOf(rig, 'reconciled')).toMatchObject([{ verdict: 'threw', error: { name: 'TypeError' } }])
  })

  test('that returns a value that is no JSON', async () => {
    const { rig, once } = createRuns()
    await leaveUnknown(rig, once)
    const recovery = () => ({ value: 1n })
    expect(await failure(once.run<unknown>({ ...request, recovery }, never))).toMatchObject({
      code: 'response-not-kept',
    })
  })
})

describe('refused', () => {
  test('while another call runs, with the problem an API would answer with', async () => {
    const { once } = createRuns()
    const gate = deferred()
    const first = once.run(request, () => gate.promise)
    expect(await failure(once.run(request, never))).toMatchObject({
      code: 'in-progress',
      problem: { status: 409, retryable: true },
    })
    gate.resolve()
    await first
  })

  test('with another payload; the order of members is no difference', async () => {
    const { once } = createRuns()
    expect(await once.run({ ...request, payload: { a: 1, b: 2 } }, () => 'done')).toBe('done')
    expect(await once.run({ ...request, payload: { b: 2, a: 1 } }, never)).toBe('done')
    expect(await failure(once.run({ ...request, payload: { a: 1 } }, never))).toMatchObject({
      code: 'key-reused',
    })
    expect(await failure(once.run({ key: 'event-1', scope: 'stripe' }, never))).toMatchObject({
      code: 'key-reused',
    })
  })

  test('when the store is down, without running', async () => {
    const { rig, once } = createRuns()
    rig.link.next('claim', 'refuse')
    expect(await failure(once.run(request, never))).toMatchObject({ code: 'store-unavailable' })
  })

  test('bypass runs unprotected, with a context of the same shape and results of the same form', async () => {
    const { rig, once } = createRuns({ onStoreError: 'bypass' })
    rig.link.always('refuse', 'claim')
    const context = await contextOf(once)
    expect(context).toMatchObject({ key: 'event-1', scope: 'stripe', attempt: 1, token: 0 })
    expect(context.signal.aborted).toBe(false)
    context.release()
    context.keep()
    expect(await once.run(request, () => ({ at: new Date(0) }))).toEqual({ at: '1970-01-01T00:00:00.000Z' })
    const thrown = new Error('mine')
    expect(await failure(once.run(request, () => Promise.reject(thrown)))).toBe(thrown)
  })
})

describe('wrong calls', () => {
  test.each([
    ['an empty key', { key: '' }, 'malformed-key'],
    ['a key that is too long', { key: 'k'.repeat(256) }, 'malformed-key'],
    ['a number for a key', { key: 7 }, 'malformed-key'],
    ['no key', { key: undefined }, 'malformed-key'],
    ['no scope', { scope: undefined }, 'scope-missing'],
    ['an empty scope', { scope: '' }, 'scope-missing'],
    ['NaN for a scope', { scope: Number.NaN }, 'scope-missing'],
    ['infinity for a scope', { scope: Number.POSITIVE_INFINITY }, 'scope-missing'],
    ['half of a surrogate pair for a scope', { scope: '\ud800' }, 'scope-missing'],
    ['true for a scope', { scope: true }, 'scope-missing'],
    ['a payload that is no JSON', { payload: () => {} }, 'invalid-option'],
    ['an unknown option', { ttl: '1h' }, 'invalid-option'],
    ['a wrong option', { lease: 'soon' }, 'invalid-option'],
  ])('%s: %o is %s, and no claim is made', async (_, options, code) => {
    const { rig, once } = createRuns()
    // What plain JavaScript may pass.
    const wrong = { ...request, ...options } as typeof request
    expect(await failure(once.run(wrong, never))).toMatchObject({ code })
    expect(rig.link.calls.claim).toBe(0)
  })

  test('something else than a function to run', async () => {
    const { rig, once } = createRuns()
    const error = await failure(once.run(request, 'work' as unknown as () => void))
    expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringContaining('"fn"') })
    expect(rig.link.calls.claim).toBe(0)
  })

  test('false and numbers are scopes', async () => {
    const { once } = createRuns()
    expect(await once.run({ key: 'k', scope: false }, ({ scope }) => scope)).toBe('false')
    expect(await once.run({ key: 'k', scope: 7 }, ({ scope }) => scope)).toBe('7')
    expect(await once.run({ key: 'k', scope: '7' }, never)).toBe('7')
    expect(await once.run({ key: 'k', scope: 'false' }, () => 'another')).toBe('another')
  })
})

test('options count for each call', async () => {
  const { rig, once } = createRuns()
  await once.run({ ...request, key: 'short', retain: '1s' }, () => 1)
  await once.run({ ...request, key: 'long', retain: '1h' }, () => 1)
  await rig.time.advance(1_000)
  expect(await once.run({ ...request, key: 'short' }, () => 2)).toBe(2)
  expect(await once.run({ ...request, key: 'long' }, () => 2)).toBe(1)
  const hanging = once.run(
    { ...request, key: 'brief', lease: '300ms', maxRun: '1s' },
    () => new Promise(() => {}),
  )
  void hanging
  await rig.time.advance(1_400)
  expect(eventsOf(rig, 'run-exceeded')).toHaveLength(1)
  expect(await failure(once.run({ ...request, key: 'brief' }, never))).toMatchObject({
    code: 'outcome-unknown',
  })
})

test('createIdempotency() needs no options', async () => {
  const once = createIdempotency()
  expect(await once.run({ key: 'k', scope: false }, () => 'done')).toBe('done')
  expect(await once.run({ key: 'k', scope: false }, never)).toBe('done')
  await once.close()
})

async function contextOf(once: Idempotency): Promise<RunContext> {
  let seen: RunContext | undefined
  await once.run(request, (context) => void (seen = context))
  if (seen === undefined) throw new Error('did not run')
  return seen
}
