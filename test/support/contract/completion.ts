import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Store } from '../../../src/core/store.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { type Deferred, deferred, eventually } from '../deferred.ts'
import { headerOf, jsonOf, linesOf, RawConnection } from '../raw-http.ts'
import { stoppedProcessClock, storeWith } from '../stores.ts'
import { type AdapterSubject, type ContractAnswer, post } from './subject.ts'

const keyed = { headers: [['Idempotency-Key', 'k1']] as const, body: 'x' }

export function completionCases(subject: AdapterSubject): void {
  it('holds back the last byte of a body with a length until the record is durable', async () => {
    const { store, recording, durable } = storeThatWaits()
    const body = Buffer.alloc(50_000, 'a')
    const server = await subject.start({ scope: false, store }, () => ({ kind: 'bytes', status: 200, body }))
    const connection = await RawConnection.open(server.port)
    connection.send(keyed)
    await recording.promise
    await sleep(30)
    const before = connection.received
    expect(before.length).toBeLessThan(body.length)
    durable.resolve()
    expect((await connection.answer()).body.equals(body)).toBe(true)
    connection.close()
  })

  it('holds back the end of a stream, and nothing else of it', async () => {
    const { store, recording, durable } = storeThatWaits()
    const server = await subject.start({ scope: false, store }, () => streamOf('first', 'second'))
    const connection = await RawConnection.open(server.port)
    connection.send(keyed)
    await connection.until('the whole body', (received) => (received.includes('second') ? true : undefined))
    await recording.promise
    await sleep(30)
    expect(connection.received.includes('\r\n0\r\n')).toBe(false)
    durable.resolve()
    const answer = await connection.answer()
    expect(answer.framing).toBe('chunked')
    expect(answer.body.toString()).toBe('firstsecond')
    connection.close()
  })

  it('holds back the headers of an answer without body', async () => {
    const { store, recording, durable } = storeThatWaits()
    const server = await subject.start({ scope: false, store }, () => ({ kind: 'empty', status: 204 }))
    const connection = await RawConnection.open(server.port)
    connection.send(keyed)
    await recording.promise
    await sleep(30)
    expect(connection.received.length).toBe(0)
    durable.resolve()
    expect((await connection.answer()).status).toBe(204)
    connection.close()
  })

  it('lets a stream flow while the handler still runs', async () => {
    const gate = deferred()
    const server = await subject.start({ scope: false }, () => ({
      kind: 'stream',
      status: 200,
      chunks: async function* () {
        yield Buffer.from('early')
        await gate.promise
        yield Buffer.from('late')
      },
    }))
    const connection = await RawConnection.open(server.port)
    connection.send(keyed)
    await connection.until('the first chunk', (received) => (received.includes('early') ? true : undefined))
    expect(connection.received.includes('late')).toBe(false)
    gate.resolve()
    expect((await connection.answer()).body.toString()).toBe('earlylate')
    connection.close()
  })

  it('gives an answer above maxResponseBytes whole to its client, and duplicates a tombstone', async () => {
    let runs = 0
    const server = await subject.start({ scope: false, maxResponseBytes: 1_000 }, () => {
      runs += 1
      return {
        kind: 'bytes',
        status: 201,
        headers: [['Location', '/orders/17']],
        body: Buffer.alloc(1_001, 'b'),
      }
    })
    expect((await post(server, { key: 'k1' })).body.length).toBe(1_001)
    const duplicate = await post(server, { key: 'k1' })
    expect(duplicate.status).toBe(409)
    expect(jsonOf(duplicate)).toMatchObject({
      code: 'response-not-kept',
      originalStatus: 201,
      location: '/orders/17',
    })
    expect(runs).toBe(1)
  })

  it('keeps an answer of exactly maxResponseBytes', async () => {
    const body = Buffer.alloc(1_000, 'b')
    const server = await subject.start({ scope: false, maxResponseBytes: 1_000 }, () => ({
      kind: 'bytes',
      status: 200,
      body,
    }))
    await post(server, { key: 'k1' })
    expect((await post(server, { key: 'k1' })).body.equals(body)).toBe(true)
  })

  it('does not tell the answer of a run whose lease was lost', async () => {
    const { answer, winner } = await overtaken(subject, () => ({
      kind: 'json',
      status: 201,
      headers: [['X-Secret', 's']],
      value: { run: 'late' },
    }))
    const late = await answer.whole()
    expect(late.status).toBe(409)
    expect(jsonOf(late)).toMatchObject({ code: 'outcome-unknown' })
    expect(headerOf(late, 'Content-Type')).toBe('application/problem+json')
    expect(linesOf(late, 'X-Secret')).toEqual([])
    expect(jsonOf(winner)).toEqual({ run: 'takeover' })
  })

  it('does not tell the answer of a run that an operator settled meanwhile', async () => {
    const store = memoryStore()
    const gate = deferred()
    const running = deferred()
    const hung = await subject.start(
      { scope: false, store, lease: 10, clock: stoppedProcessClock },
      async () => {
        running.resolve()
        await gate.promise
        return { kind: 'json', status: 201, value: { run: 'late' } }
      },
    )
    const late = post(hung, { key: 'k1' })
    await running.promise
    await sleep(20)
    const stuck = (await store.inspect?.list({ states: ['lapsed'], limit: 10 }))?.records[0]
    const settled = { kind: 'kept', status: 200, headers: [], body: Buffer.from('settled') } as const
    expect(await store.inspect?.settle(stuck?.id ?? '', { kind: 'response', response: settled })).toBe(
      'settled',
    )
    gate.resolve()
    expect(jsonOf(await late)).toMatchObject({ code: 'outcome-unknown' })
    expect((await post(hung, { key: 'k1' })).body.toString()).toBe('settled')
  })

  it('cuts off the answer of a run whose lease was lost after it began', async () => {
    const { answer, winner } = await overtaken(subject, (gate) => ({
      kind: 'stream',
      status: 201,
      chunks: async function* () {
        yield Buffer.from('begun')
        await gate
        yield Buffer.from('done')
      },
    }))
    await answer.connection.closed()
    const told = answer.connection.received.toString('latin1')
    expect(told).toContain('begun')
    expect(told).not.toContain('\r\n0\r\n')
    expect(jsonOf(winner)).toEqual({ run: 'takeover' })
  })

  it('answers 503 and does not run when the store is down, or runs unguarded where that was chosen', async () => {
    const store = storeWith(memoryStore(), { claim: () => Promise.reject(new Error('down')) })
    const keys: unknown[] = []
    const handler = ({ idempotency }: { idempotency: { key: string | undefined } }): ContractAnswer => {
      keys.push(idempotency.key)
      return { kind: 'json', status: 201, value: {} }
    }
    const closed = await subject.start({ scope: false, store }, handler)
    const refused = await post(closed, { key: 'k1' })
    expect(refused.status).toBe(503)
    expect(headerOf(refused, 'Retry-After')).toBe('1')
    expect(jsonOf(refused)).toMatchObject({ code: 'store-unavailable', retryable: true })
    expect(keys).toEqual([])

    const open = await subject.start({ scope: false, store, onStoreError: 'bypass' }, handler)
    expect((await post(open, { key: 'k1' })).status).toBe(201)
    expect(keys).toEqual([undefined])
  })

  it('tells the truth when the store is down at the end, and records it later', async () => {
    let down = true
    const store = storeWith(memoryStore(), {
      complete: () => (down ? Promise.reject(new Error('down')) : undefined),
    })
    let runs = 0
    const server = await subject.start({ scope: false, store }, () => {
      runs += 1
      return { kind: 'json', status: 201, value: { run: runs } }
    })
    expect((await post(server, { key: 'k1' })).status).toBe(201)
    expect((await post(server, { key: 'k1' })).status).toBe(409)
    down = false
    await eventually('the record', async () => (await post(server, { key: 'k1' })).status === 201)
    expect(jsonOf(await post(server, { key: 'k1' }))).toEqual({ run: 1 })
    expect(runs).toBe(1)
  })
}

/** A store whose `complete` begins and then waits to be let through. */
function storeThatWaits(): { store: Store; recording: Deferred<void>; durable: Deferred<void> } {
  const recording = deferred()
  const durable = deferred()
  const store = storeWith(memoryStore(), {
    async complete() {
      recording.resolve()
      await durable.promise
    },
  })
  return { store, recording, durable }
}

/**
 * Runs `late` in a process that hangs past its lease, lets another process take the key over, and then lets
 * the first go on.
 */
async function overtaken(
  subject: AdapterSubject,
  late: (gate: Promise<void>) => ContractAnswer,
): Promise<{
  answer: { connection: RawConnection; whole: RawConnection['answer'] }
  winner: Awaited<ReturnType<typeof post>>
}> {
  const store = memoryStore()
  const running = deferred()
  const gate = deferred()
  const options = { scope: false, store, recovery: 'rerun', lease: 20 } as const
  const hung = await subject.start({ ...options, clock: stoppedProcessClock }, async () => {
    running.resolve()
    const answer = late(gate.promise)
    if (answer.kind !== 'stream') await gate.promise
    return answer
  })
  const alive = await subject.start(options, () => ({
    kind: 'json',
    status: 201,
    value: { run: 'takeover' },
  }))
  const connection = await RawConnection.open(hung.port)
  connection.send({
    target: '/orders',
    headers: [
      ['Content-Type', 'application/json'],
      ['Idempotency-Key', 'k1'],
    ],
    body: JSON.stringify({ item: 17 }),
  })
  await running.promise
  await sleep(30)
  const winner = await post(alive, { key: 'k1' })
  gate.resolve()
  return { answer: { connection, whole: () => connection.answer() }, winner }
}

function streamOf(...words: string[]): ContractAnswer {
  return {
    kind: 'stream',
    status: 200,
    chunks: async function* () {
      for (const word of words) yield Buffer.from(word)
    },
  }
}
