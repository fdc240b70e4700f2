import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred, eventually } from '../deferred.ts'
import { headerOf, jsonOf, linesOf, RawConnection } from '../raw-http.ts'
import { countingStore } from '../stores.ts'
import { type AdapterSubject, type ContractHandler, post } from './subject.ts'

export function concurrencyCases(subject: AdapterSubject): void {
  it('lets one of many run, and answers 409 with Retry-After to the others', async () => {
    const { handler, runs, gate } = gated()
    const server = await subject.start({ scope: false }, handler)
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
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1)
    expect(conflicts).toHaveLength(49)
    for (const conflict of conflicts) {
      expect(jsonOf(conflict)).toMatchObject({ code: 'in-progress', retryable: true })
      expect(Number(headerOf(conflict, 'Retry-After'))).toBeGreaterThanOrEqual(1)
    }
    expect(runs()).toBe(1)
    // The 409 was not stored under the key.
    expect(jsonOf(await post(server, { key: 'k1' }))).toEqual({ run: 1 })
  })

  it('refuses another request under a running key at once', async () => {
    const { handler, runs, gate } = gated()
    const server = await subject.start({ scope: false, concurrent: { wait: '10s' } }, handler)
    const first = post(server, { key: 'k1' })
    await eventually('one to run', () => runs() === 1)
    expect((await post(server, { key: 'k1', value: { item: 99 } })).status).toBe(422)
    gate.resolve()
    expect((await first).status).toBe(201)
  })

  it('runs different keys side by side', async () => {
    const { handler, runs, gate } = gated()
    const server = await subject.start({ scope: false }, handler)
    const all = Array.from({ length: 20 }, (_, index) => post(server, { key: `k${index}` }))
    await eventually('all to run', () => runs() === 20)
    gate.resolve()
    for (const answer of await Promise.all(all)) expect(answer.status).toBe(201)
  })

  it("gives waiting duplicates the winner's answer", async () => {
    const { handler, runs, gate } = gated()
    const server = await subject.start({ scope: false, concurrent: { wait: '10s' } }, handler)
    const many = Array.from({ length: 20 }, () => post(server, { key: 'k1' }))
    await eventually('one to run', () => runs() === 1)
    await sleep(20)
    gate.resolve()
    const answers = await Promise.all(many)
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 201))
    expect(answers.filter((answer) => linesOf(answer, 'Idempotent-Replayed').length === 1)).toHaveLength(19)
    for (const answer of answers) expect(jsonOf(answer)).toEqual({ run: 1 })
    expect(runs()).toBe(1)
  })

  it('answers 409 at the end of the wait', async () => {
    const { handler, runs, gate } = gated()
    const server = await subject.start({ scope: false, concurrent: { wait: 80 } }, handler)
    const first = post(server, { key: 'k1' })
    await eventually('one to run', () => runs() === 1)
    const startedMs = performance.now()
    const refused = await post(server, { key: 'k1' })
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(75)
    expect(jsonOf(refused)).toMatchObject({ code: 'in-progress' })
    gate.resolve()
    expect((await first).status).toBe(201)
  })

  it('lets a waiter whose client has left go', async () => {
    const { handler, runs, gate } = gated()
    const { store, calls } = countingStore(memoryStore())
    const server = await subject.start({ scope: false, store, concurrent: { wait: '30s' } }, handler)
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
    expect((await first).status).toBe(201)
    await sleep(20)
    // Nobody waits any longer, so nobody asks.
    expect(calls.claim).toBe(before)
    await server.drained()
  })

  it('lets one waiter run when the winner released the key', async () => {
    const gates = [deferred(), deferred()]
    let runs = 0
    const server = await subject.start({ scope: false, concurrent: { wait: '10s' } }, async () => {
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
    expect((await first).status).toBe(429)
    for (const answer of await Promise.all(waiting)) expect(jsonOf(answer)).toEqual({ run: 2 })
    expect(runs).toBe(2)
  })

  it('lets duplicates that arrive around the end see only the answer or a 409', async () => {
    let runs = 0
    const server = await subject.start({ scope: false }, async () => {
      runs += 1
      await sleep(15)
      return { kind: 'json', status: 201, value: { run: 'first' } }
    })
    const all = Array.from({ length: 40 }, async (_, index) => {
      await sleep(index)
      return post(server, { key: 'k1' })
    })
    for (const answer of await Promise.all(all)) {
      if (answer.status === 409) expect(jsonOf(answer)).toMatchObject({ code: 'in-progress' })
      else expect(jsonOf(answer)).toEqual({ run: 'first' })
    }
    expect(runs).toBe(1)
  })
}

/** A handler that waits to be let through. */
function gated(): { handler: ContractHandler; runs(): number; gate: ReturnType<typeof deferred<void>> } {
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
