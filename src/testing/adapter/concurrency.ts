import { setTimeout as sleep } from 'node:timers/promises'
import assert from 'node:assert/strict'
import { deferred, eventually } from './deferred.ts'
import { headerOf, jsonOf, linesOf, RawConnection } from './raw-http.ts'
import { countingStore } from './stores.ts'
import { assertMembers, type AdapterCase, type AdapterHandler, post } from './subject.ts'

export const concurrencyCases: readonly AdapterCase[] = [
  {
    name: 'lets one of many run, and answers 409 with Retry-After to the others',
    async run(kit) {
      const { handler, runs, gate } = gated()
      const server = await kit.start({ scope: false }, handler)
      let answered = 0
      const many = Array.from({ length: 50 }, async () => {
        const answer = await post(server, { key: 'k1' })
        answered += 1
        return answer
      })
      await eventually('all but one to be answered', () => answered === 49)
      gate.resolve()
      const answers = await Promise.all(many)
      const conflicts = answers.filter((answer) => answer.status === 409)
      assert.equal(answers.filter((answer) => answer.status === 201).length, 1)
      assert.equal(conflicts.length, 49)
      for (const conflict of conflicts) {
        assertMembers(jsonOf(conflict), { code: 'in-progress', retryable: true })
        assert(Number(headerOf(conflict, 'Retry-After')) >= 1)
      }
      assert.equal(runs(), 1)
      // The 409 was not stored under the key.
      assert.deepEqual(jsonOf(await post(server, { key: 'k1' })), { run: 1 })
    },
  },

  {
    name: 'refuses another request under a running key at once',
    async run(kit) {
      const { handler, runs, gate } = gated()
      const server = await kit.start({ scope: false, concurrent: { wait: '10s' } }, handler)
      const first = post(server, { key: 'k1' })
      await eventually('one to run', () => runs() === 1)
      assert.equal((await post(server, { key: 'k1', value: { item: 99 } })).status, 422)
      gate.resolve()
      assert.equal((await first).status, 201)
    },
  },

  {
    name: 'runs different keys side by side',
    async run(kit) {
      const { handler, runs, gate } = gated()
      const server = await kit.start({ scope: false }, handler)
      const all = Array.from({ length: 20 }, (_, index) => post(server, { key: `k${index}` }))
      await eventually('all to run', () => runs() === 20)
      gate.resolve()
      for (const answer of await Promise.all(all)) assert.equal(answer.status, 201)
    },
  },

  {
    name: "gives waiting duplicates the winner's answer",
    async run(kit) {
      const { handler, runs, gate } = gated()
      const server = await kit.start({ scope: false, concurrent: { wait: '10s' } }, handler)
      const many = Array.from({ length: 20 }, () => post(server, { key: 'k1' }))
      await eventually('one to run', () => runs() === 1)
      await sleep(20)
      gate.resolve()
      const answers = await Promise.all(many)
      assert.deepEqual(
        answers.map((answer) => answer.status),
        answers.map(() => 201),
      )
      assert.equal(answers.filter((answer) => linesOf(answer, 'Idempotent-Replayed').length === 1).length, 19)
      for (const answer of answers) assert.deepEqual(jsonOf(answer), { run: 1 })
      assert.equal(runs(), 1)
    },
  },

  {
    name: 'answers 409 at the end of the wait',
    async run(kit) {
      const { handler, runs, gate } = gated()
      const server = await kit.start({ scope: false, concurrent: { wait: 80 } }, handler)
      const first = post(server, { key: 'k1' })
      await eventually('one to run', () => runs() === 1)
      const startedMs = performance.now()
      const refused = await post(server, { key: 'k1' })
      assert(performance.now() - startedMs >= 75)
      assertMembers(jsonOf(refused), { code: 'in-progress' })
      gate.resolve()
      assert.equal((await first).status, 201)
    },
  },

  {
    name: 'lets a waiter whose client has left go',
    needs: ['departures'],
    async run(kit) {
      const { handler, runs, gate } = gated()
      const { store, calls } = countingStore(kit.createStore())
      const server = await kit.start({ scope: false, store, concurrent: { wait: '30s' } }, handler)
      const first = post(server, { key: 'k1' })
      await eventually('one to run', () => runs() === 1)
      const waiting = await RawConnection.open(server.port)
      waiting.send({
        target: '/orders',
        headers: [
          ['Content-Type', 'application/json'],
          ['Idempotency-Key', 'k1'],
        ],
        body: JSON.stringify({ item: 17 }),
      })
      await eventually('the waiter to wait', () => calls.claim >= 2)
      await sleep(20)
      waiting.reset()
      await sleep(20)
      const before = calls.claim
      gate.resolve()
      assert.equal((await first).status, 201)
      await sleep(20)
      // Nobody waits any longer, so nobody asks.
      assert.equal(calls.claim, before)
      await server.drained()
    },
  },

  {
    name: 'lets one waiter run when the winner released the key',
    async run(kit) {
      const gates = [deferred(), deferred()]
      let runs = 0
      const server = await kit.start({ scope: false, concurrent: { wait: '10s' } }, async () => {
        runs += 1
        const run = runs
        await gates[run - 1]?.promise
        return { kind: 'json', status: run === 1 ? 429 : 201, value: { run } }
      })
      const first = post(server, { key: 'k1' })
      await eventually('one to run', () => runs === 1)
      const waiting = Array.from({ length: 5 }, () => post(server, { key: 'k1' }))
      await sleep(30)
      gates[0]?.resolve()
      await eventually('the next to run', () => runs === 2)
      gates[1]?.resolve()
      assert.equal((await first).status, 429)
      for (const answer of await Promise.all(waiting)) assert.deepEqual(jsonOf(answer), { run: 2 })
      assert.equal(runs, 2)
    },
  },

  {
    name: 'lets duplicates that arrive around the end see only the answer or a 409',
    async run(kit) {
      let runs = 0
      const server = await kit.start({ scope: false }, async () => {
        runs += 1
        await sleep(15)
        return { kind: 'json', status: 201, value: { run: 'first' } }
      })
      const all = Array.from({ length: 40 }, async (_, index) => {
        await sleep(index)
        return post(server, { key: 'k1' })
      })
      for (const answer of await Promise.all(all)) {
        if (answer.status === 409) assertMembers(jsonOf(answer), { code: 'in-progress' })
        else assert.deepEqual(jsonOf(answer), { run: 'first' })
      }
      assert.equal(runs, 1)
    },
  },
]

/** A handler that waits to be let through. */
function gated(): { handler: AdapterHandler; runs(): number; gate: ReturnType<typeof deferred<void>> } {
  const gate = deferred()
  let runs = 0
  return {
    gate,
    runs: () => runs,
    async handler() {
      runs += 1
      const run = runs
      await gate.promise
      return { kind: 'json', status: 201, value: { run } }
    },
  }
}
