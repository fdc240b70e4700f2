import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { IdempotencyEvent } from '../../../src/core/events.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred } from '../deferred.ts'
import { headerOf, jsonOf, linesOf } from '../raw-http.ts'
import { stoppedProcessClock } from '../stores.ts'
import { type AdapterSubject, type ContractOptions, counter, post } from './subject.ts'

type Recovery = NonNullable<ContractOptions['recovery']>

export function outcomeCases(subject: AdapterSubject): void {
  it('replays a thrown error and does not run again', async () => {
    let runs = 0
    const events: IdempotencyEvent[] = []
    const server = await subject.start({ scope: false, on: (event) => events.push(event) }, () => {
      runs += 1
      throw new Error('after the charge')
    })
    const first = await post(server, { key: 'k1' })
    const replayed = await post(server, { key: 'k1' })
    expect(first.status).toBe(500)
    expect(replayed.status).toBe(500)
    expect(linesOf(replayed, 'Idempotent-Replayed')).toEqual(['true'])
    expect(replayed.body.equals(first.body)).toBe(true)
    expect(runs).toBe(1)
    expect(events.find((event) => event.type === 'completed')).toMatchObject({ status: 500, failed: true })
  })

  it('runs again after a thrown error under recovery "rerun"', async () => {
    const attempts: number[] = []
    const server = await subject.start({ scope: false, recovery: 'rerun' }, ({ idempotency }) => {
      attempts.push(idempotency.attempt)
      if (attempts.length < 3) throw new Error('not yet')
      return { kind: 'json', status: 201, value: {} }
    })
    const statuses = []
    for (let turn = 0; turn < 4; turn += 1) statuses.push((await post(server, { key: 'k1' })).status)
    expect(statuses).toEqual([500, 500, 201, 201])
    expect(attempts).toEqual([1, 2, 3])
  })

  it.for([
    { status: 200, recovery: 'refuse', runs: 1 },
    { status: 400, recovery: 'refuse', runs: 1 },
    { status: 401, recovery: 'refuse', runs: 2 },
    { status: 403, recovery: 'refuse', runs: 2 },
    { status: 404, recovery: 'refuse', runs: 1 },
    { status: 408, recovery: 'refuse', runs: 1 },
    { status: 409, recovery: 'refuse', runs: 1 },
    { status: 422, recovery: 'refuse', runs: 1 },
    { status: 425, recovery: 'refuse', runs: 2 },
    { status: 429, recovery: 'refuse', runs: 2 },
    { status: 503, recovery: 'refuse', runs: 1 },
    { status: 400, recovery: 'rerun', runs: 1 },
    { status: 408, recovery: 'rerun', runs: 2 },
    { status: 429, recovery: 'rerun', runs: 2 },
    { status: 503, recovery: 'rerun', runs: 2 },
  ] as const)('$status under "$recovery" leads to $runs runs', async ({ status, recovery, runs }) => {
    let ran = 0
    const server = await subject.start({ scope: false, recovery }, () => {
      ran += 1
      return { kind: 'json', status, value: { run: ran } }
    })
    await post(server, { key: 'k1' })
    const second = await post(server, { key: 'k1' })
    expect(second.status).toBe(status)
    expect(jsonOf(second)).toEqual({ run: runs })
    expect(ran).toBe(runs)
  })

  it('a released key may carry another request', async () => {
    const server = await subject.start({ scope: false }, async (request) => ({
      kind: 'json',
      status: (await request.body()).includes('admin') ? 403 : 201,
      value: {},
    }))
    expect((await post(server, { key: 'k1', value: { as: 'admin' } })).status).toBe(403)
    expect((await post(server, { key: 'k1', value: { as: 'user' } })).status).toBe(201)
    expect((await post(server, { key: 'k1', value: { as: 'admin' } })).status).toBe(422)
  })

  it('release() and keep() in the handler overrule the rules', async () => {
    let runs = 0
    const server = await subject.start({ scope: false, keep: () => 'release' }, ({ idempotency, header }) => {
      runs += 1
      if (header('x-say') === 'release') idempotency.release()
      if (header('x-say') === 'keep') idempotency.keep()
      return { kind: 'json', status: 429, value: { run: runs } }
    })
    for (const say of ['release', 'keep', 'keep'])
      await post(server, { key: 'k1', headers: [['X-Say', say]] })
    expect(runs).toBe(2)
  })

  it('the keep option overrules the rules, and gets the status', async () => {
    const seen: number[] = []
    let runs = 0
    const server = await subject.start(
      {
        scope: false,
        keep({ status }) {
          seen.push(status)
          return status === 404 ? 'release' : undefined
        },
      },
      () => {
        runs += 1
        return { kind: 'json', status: runs === 1 ? 404 : 201, value: {} }
      },
    )
    expect((await post(server, { key: 'k1' })).status).toBe(404)
    expect((await post(server, { key: 'k1' })).status).toBe(201)
    expect((await post(server, { key: 'k1' })).status).toBe(201)
    expect(seen).toEqual([404, 201])
    expect(runs).toBe(2)
  })

  it('a keep option that throws leaves the rules in force', async () => {
    const { handler, runs } = counter()
    const warnings: string[] = []
    const server = await subject.start(
      {
        scope: false,
        keep() {
          throw new Error('broken')
        },
        logger: { warn: (message) => warnings.push(message) },
      },
      handler,
    )
    expect((await post(server, { key: 'k1' })).status).toBe(201)
    expect((await post(server, { key: 'k1' })).status).toBe(201)
    expect(runs()).toBe(1)
    expect(warnings.join()).toContain('keep')
  })

  const found = { status: 201, headers: { Location: '/orders/9' }, body: { found: true } }
  const recoveries: Array<{ name: string; recovery: Recovery; first: number; runs: number }> = [
    { name: '"refuse"', recovery: 'refuse', first: 409, runs: 0 },
    { name: '"rerun"', recovery: 'rerun', first: 201, runs: 1 },
    { name: 'a function that finds the answer', recovery: () => found, first: 201, runs: 0 },
    { name: 'a function that says "rerun"', recovery: () => 'rerun', first: 201, runs: 1 },
    {
      name: 'a function that says "refuse"',
      recovery: () => Promise.resolve('refuse' as const),
      first: 409,
      runs: 0,
    },
    {
      name: 'a function that throws',
      recovery: () => Promise.reject(new Error('no way to know')),
      first: 409,
      runs: 0,
    },
  ]
  it.for(recoveries)('a lapsed run under $name', async ({ recovery, first, runs }) => {
    const { handler, runs: ran } = counter()
    const store = await storeWithLapsedRun(subject, recovery)
    const server = await subject.start({ scope: false, store, recovery, lease: 1_000 }, handler)

    const answer = await post(server, { key: 'k1' })
    expect(answer.status).toBe(first)
    expect(ran()).toBe(runs)
    if (first === 409) {
      expect(jsonOf(answer)).toMatchObject({ code: 'outcome-unknown', retryable: false })
      return
    }
    const again = await post(server, { key: 'k1' })
    expect(again.body.equals(answer.body)).toBe(true)
    expect(linesOf(again, 'Idempotent-Replayed')).toEqual(['true'])
    expect(ran()).toBe(runs)
    if (runs === 0) {
      expect(jsonOf(answer)).toEqual({ found: true })
      expect(headerOf(answer, 'Location')).toBe('/orders/9')
      expect(headerOf(answer, 'Content-Type')).toMatch(/^application\/json/)
    }
  })

  it('a recovery function sees the failure that was kept, and may replace it', async () => {
    const seen: unknown[] = []
    let runs = 0
    const server = await subject.start(
      {
        scope: false,
        recovery({ key, attempt, failure, request }) {
          const body = failure?.kind === 'kept' ? Buffer.from(failure.body).toString() : ''
          seen.push({ key, attempt, status: failure?.status, body, user: request.header('x-user') })
          return 'rerun'
        },
      },
      () => {
        runs += 1
        return { kind: 'json', status: runs === 1 ? 500 : 201, value: { run: runs } }
      },
    )
    expect((await post(server, { key: 'k1', user: 'a' })).status).toBe(500)
    expect((await post(server, { key: 'k1', user: 'a' })).status).toBe(201)
    expect(seen).toEqual([{ key: 'k1', attempt: 2, status: 500, body: '{"run":1}', user: 'a' }])
    expect(jsonOf(await post(server, { key: 'k1', user: 'a' }))).toEqual({ run: 2 })
  })

  it('others see the key in progress while a recovery function asks', async () => {
    const asking = deferred()
    const gate = deferred()
    const recovery: Recovery = async () => {
      asking.resolve()
      await gate.promise
      return found
    }
    const store = await storeWithLapsedRun(subject, recovery)
    const server = await subject.start({ scope: false, store, recovery }, counter().handler)
    const asked = post(server, { key: 'k1' })
    await asking.promise
    expect(jsonOf(await post(server, { key: 'k1' }))).toMatchObject({ code: 'in-progress' })
    gate.resolve()
    expect(jsonOf(await asked)).toEqual({ found: true })
  })

  it('a late owner that nobody replaced still records the truth', async () => {
    const store = memoryStore()
    const running = deferred()
    const gate = deferred()
    const hung = await subject.start(
      { scope: false, store, lease: 20, clock: stoppedProcessClock },
      async () => {
        running.resolve()
        await gate.promise
        return { kind: 'json', status: 201, value: { run: 'late' } }
      },
    )
    const first = post(hung, { key: 'k1' })
    await running.promise
    await sleep(30)
    const alive = await subject.start({ scope: false, store }, counter().handler)
    expect(jsonOf(await post(alive, { key: 'k1' }))).toMatchObject({ code: 'outcome-unknown' })
    gate.resolve()
    expect((await first).status).toBe(201)
    expect(jsonOf(await post(alive, { key: 'k1' }))).toEqual({ run: 'late' })
  })
}

/** A store with the record of a run whose process hangs: its lease is over and nobody renews it. */
async function storeWithLapsedRun(
  subject: AdapterSubject,
  recovery: Recovery,
): Promise<ReturnType<typeof memoryStore>> {
  const store = memoryStore()
  const running = deferred()
  const hung = await subject.start(
    { scope: false, store, recovery, lease: 10, clock: stoppedProcessClock },
    async () => {
      running.resolve()
      return new Promise(() => {})
    },
  )
  // Never answered; the connection is cut when the test ends.
  post(hung, { key: 'k1' }).catch(() => {})
  await running.promise
  await sleep(20)
  return store
}
