import { setTimeout as sleep } from 'node:timers/promises'
import assert from 'node:assert/strict'
import type { IdempotencyEvent } from '../../core/events.ts'
import type { Store } from '../../core/store.ts'
import { deferred } from './deferred.ts'
import { headerOf, jsonOf, linesOf } from './raw-http.ts'
import { stoppedProcessClock } from './stores.ts'
import {
  assertMembers,
  type AdapterCase,
  type AdapterKit,
  type AdapterOptions,
  counter,
  post,
} from './subject.ts'

type Recovery = NonNullable<AdapterOptions['recovery']>

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

export const outcomeCases: readonly AdapterCase[] = [
  {
    name: 'replays a thrown error and does not run again',
    async run(kit) {
      let runs = 0
      const events: IdempotencyEvent[] = []
      const server = await kit.start({ scope: false, on: (event) => events.push(event) }, () => {
        runs += 1
        throw new Error('after the charge')
      })
      const first = await post(server, { key: 'k1' })
      const replayed = await post(server, { key: 'k1' })
      assert.equal(first.status, 500)
      assert.equal(replayed.status, 500)
      assert.deepEqual(linesOf(replayed, 'Idempotent-Replayed'), ['true'])
      assert.equal(runs, 1)
      assertMembers(
        events.find((event) => event.type === 'completed'),
        { status: 500, failed: true },
      )
    },
  },

  {
    name: 'replays what the framework answered to a thrown error',
    needs: ['answers to errors'],
    async run(kit) {
      const server = await kit.start({ scope: false }, () => {
        throw new Error('after the charge')
      })
      const first = await post(server, { key: 'k1' })
      const replayed = await post(server, { key: 'k1' })
      assert.deepEqual(linesOf(replayed, 'Idempotent-Replayed'), ['true'])
      assert.equal(replayed.body.equals(first.body), true)
    },
  },

  {
    name: 'runs again after a thrown error under recovery "rerun"',
    async run(kit) {
      const attempts: number[] = []
      const server = await kit.start({ scope: false, recovery: 'rerun' }, ({ idempotency }) => {
        attempts.push(idempotency.attempt)
        if (attempts.length < 3) throw new Error('not yet')
        return { kind: 'json', status: 201, value: {} }
      })
      const statuses = []
      for (let turn = 0; turn < 4; turn += 1) statuses.push((await post(server, { key: 'k1' })).status)
      assert.deepEqual(statuses, [500, 500, 201, 201])
      assert.deepEqual(attempts, [1, 2, 3])
    },
  },

  ...(
    [
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
    ] as const
  ).map(
    ({ status, recovery, runs }): AdapterCase => ({
      name: `${status} under "${recovery}" leads to ${runs} runs`,
      async run(kit) {
        let ran = 0
        const server = await kit.start({ scope: false, recovery }, () => {
          ran += 1
          return { kind: 'json', status, value: { run: ran } }
        })
        await post(server, { key: 'k1' })
        const second = await post(server, { key: 'k1' })
        assert.equal(second.status, status)
        assert.deepEqual(jsonOf(second), { run: runs })
        assert.equal(ran, runs)
      },
    }),
  ),

  {
    name: 'a released key may carry another request',
    async run(kit) {
      const server = await kit.start({ scope: false }, async (request) => ({
        kind: 'json',
        status: (await request.body()).includes('admin') ? 403 : 201,
        value: {},
      }))
      assert.equal((await post(server, { key: 'k1', value: { as: 'admin' } })).status, 403)
      assert.equal((await post(server, { key: 'k1', value: { as: 'user' } })).status, 201)
      assert.equal((await post(server, { key: 'k1', value: { as: 'admin' } })).status, 422)
    },
  },

  {
    name: 'release() and keep() in the handler overrule the rules',
    async run(kit) {
      let runs = 0
      const server = await kit.start({ scope: false, keep: () => 'release' }, ({ idempotency, header }) => {
        runs += 1
        if (header('x-say') === 'release') idempotency.release()
        if (header('x-say') === 'keep') idempotency.keep()
        return { kind: 'json', status: 429, value: { run: runs } }
      })
      for (const say of ['release', 'keep', 'keep'])
        await post(server, { key: 'k1', headers: [['X-Say', say]] })
      assert.equal(runs, 2)
    },
  },

  {
    name: 'the keep option overrules the rules, and gets the status',
    async run(kit) {
      const seen: number[] = []
      let runs = 0
      const server = await kit.start(
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
      assert.equal((await post(server, { key: 'k1' })).status, 404)
      assert.equal((await post(server, { key: 'k1' })).status, 201)
      assert.equal((await post(server, { key: 'k1' })).status, 201)
      assert.deepEqual(seen, [404, 201])
      assert.equal(runs, 2)
    },
  },

  {
    name: 'a keep option that throws leaves the rules in force',
    async run(kit) {
      const { handler, runs } = counter()
      const warnings: string[] = []
      const server = await kit.start(
        {
          scope: false,
          keep() {
            throw new Error('broken')
          },
          logger: { warn: (message) => warnings.push(message) },
        },
        handler,
      )
      assert.equal((await post(server, { key: 'k1' })).status, 201)
      assert.equal((await post(server, { key: 'k1' })).status, 201)
      assert.equal(runs(), 1)
      assert(warnings.join().includes('keep'))
    },
  },

  ...recoveries.map(
    ({ name, recovery, first, runs }): AdapterCase => ({
      name: `a lapsed run under ${name}`,
      async run(kit) {
        const { handler, runs: ran } = counter()
        const store = await storeWithLapsedRun(kit, recovery)
        const server = await kit.start({ scope: false, store, recovery, lease: 1_000 }, handler)

        const answer = await post(server, { key: 'k1' })
        assert.equal(answer.status, first)
        assert.equal(ran(), runs)
        if (first === 409) {
          assertMembers(jsonOf(answer), { code: 'outcome-unknown', retryable: false })
          return
        }
        const again = await post(server, { key: 'k1' })
        assert.equal(again.body.equals(answer.body), true)
        assert.deepEqual(linesOf(again, 'Idempotent-Replayed'), ['true'])
        assert.equal(ran(), runs)
        if (runs === 0) {
          assert.deepEqual(jsonOf(answer), { found: true })
          assert.equal(headerOf(answer, 'Location'), '/orders/9')
          assert.match(headerOf(answer, 'Content-Type') ?? '', /^application\/json/)
        }
      },
    }),
  ),

  {
    name: 'a recovery function sees the failure that was kept, and may replace it',
    async run(kit) {
      const seen: unknown[] = []
      let runs = 0
      const server = await kit.start(
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
      assert.equal((await post(server, { key: 'k1', user: 'a' })).status, 500)
      assert.equal((await post(server, { key: 'k1', user: 'a' })).status, 201)
      assert.deepEqual(seen, [{ key: 'k1', attempt: 2, status: 500, body: '{"run":1}', user: 'a' }])
      assert.deepEqual(jsonOf(await post(server, { key: 'k1', user: 'a' })), { run: 2 })
    },
  },

  {
    name: 'others see the key in progress while a recovery function asks',
    async run(kit) {
      const asking = deferred()
      const gate = deferred()
      const recovery: Recovery = async () => {
        asking.resolve()
        await gate.promise
        return found
      }
      const store = await storeWithLapsedRun(kit, recovery)
      const server = await kit.start({ scope: false, store, recovery }, counter().handler)
      const asked = post(server, { key: 'k1' })
      await asking.promise
      assertMembers(jsonOf(await post(server, { key: 'k1' })), { code: 'in-progress' })
      gate.resolve()
      assert.deepEqual(jsonOf(await asked), { found: true })
    },
  },

  {
    name: 'a late owner that nobody replaced still records the truth',
    async run(kit) {
      const store = kit.createStore()
      const running = deferred()
      const gate = deferred()
      const hung = await kit.start(
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
      const alive = await kit.start({ scope: false, store }, counter().handler)
      assertMembers(jsonOf(await post(alive, { key: 'k1' })), { code: 'outcome-unknown' })
      gate.resolve()
      assert.equal((await first).status, 201)
      assert.deepEqual(jsonOf(await post(alive, { key: 'k1' })), { run: 'late' })
    },
  },
]

/** A store with the record of a run whose process hangs: its lease is over and nobody renews it. */
async function storeWithLapsedRun(kit: AdapterKit, recovery: Recovery): Promise<Store> {
  const store = kit.createStore()
  const running = deferred()
  const hung = await kit.start(
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
