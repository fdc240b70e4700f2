import { setTimeout as sleep } from 'node:timers/promises'
import assert from 'node:assert/strict'
import type { Store } from '../../core/store.ts'
import { type Deferred, deferred, eventually } from './deferred.ts'
import { headerOf, jsonOf, linesOf, RawConnection } from './raw-http.ts'
import { stoppedProcessClock, storeWith } from './stores.ts'
import { assertMembers, type AdapterCase, type AdapterKit, type AdapterAnswer, post } from './subject.ts'

const keyed = { headers: [['Idempotency-Key', 'k1']] as const, body: 'x' }

export const completionCases: readonly AdapterCase[] = [
  {
    name: 'holds back the last byte of a body with a length until the record is durable',
    async run(kit) {
      const { store, recording, durable } = storeThatWaits(kit)
      const body = Buffer.alloc(50_000, 'a')
      const server = await kit.start({ scope: false, store }, () => ({ kind: 'bytes', status: 200, body }))
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await recording.promise
      await sleep(30)
      const headEnd = connection.received.indexOf('\r\n\r\n')
      const bodyBytes = headEnd === -1 ? 0 : connection.received.length - headEnd - 4
      assert(bodyBytes < body.length, `${bodyBytes} of ${body.length} bytes were told`)
      durable.resolve()
      assert.equal((await connection.answer()).body.equals(body), true)
      connection.close()
    },
  },

  {
    name: 'holds back the end of a stream, and nothing else of it',
    needs: ['streams'],
    async run(kit) {
      const { store, recording, durable } = storeThatWaits(kit)
      const server = await kit.start({ scope: false, store }, () => streamOf('first', 'second'))
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await connection.until('the whole body', (received) => (received.includes('second') ? true : undefined))
      await recording.promise
      await sleep(30)
      assert.equal(connection.received.includes('\r\n0\r\n'), false)
      durable.resolve()
      const answer = await connection.answer()
      assert.equal(answer.framing, 'chunked')
      assert.equal(answer.body.toString(), 'firstsecond')
      connection.close()
    },
  },

  {
    name: 'holds back the headers of an answer without body',
    async run(kit) {
      const { store, recording, durable } = storeThatWaits(kit)
      const server = await kit.start({ scope: false, store }, () => ({ kind: 'empty', status: 204 }))
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await recording.promise
      await sleep(30)
      assert.equal(connection.received.length, 0)
      durable.resolve()
      assert.equal((await connection.answer()).status, 204)
      connection.close()
    },
  },

  {
    name: 'lets a stream flow while the handler still runs',
    needs: ['streams'],
    async run(kit) {
      const gate = deferred()
      const server = await kit.start({ scope: false }, () => ({
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
      assert.equal(connection.received.includes('late'), false)
      gate.resolve()
      assert.equal((await connection.answer()).body.toString(), 'earlylate')
      connection.close()
    },
  },

  {
    name: 'gives an answer above maxResponseBytes whole to its client, and duplicates a tombstone',
    async run(kit) {
      let runs = 0
      const server = await kit.start({ scope: false, maxResponseBytes: 1_000 }, () => {
        runs += 1
        return {
          kind: 'bytes',
          status: 201,
          headers: [['Location', '/orders/17']],
          body: Buffer.alloc(1_001, 'b'),
        }
      })
      assert.equal((await post(server, { key: 'k1' })).body.length, 1_001)
      const duplicate = await post(server, { key: 'k1' })
      assert.equal(duplicate.status, 409)
      assertMembers(jsonOf(duplicate), {
        code: 'response-not-kept',
        originalStatus: 201,
        location: '/orders/17',
      })
      assert.equal(runs, 1)
    },
  },

  {
    name: 'keeps an answer of exactly maxResponseBytes',
    async run(kit) {
      const body = Buffer.alloc(1_000, 'b')
      const server = await kit.start({ scope: false, maxResponseBytes: 1_000 }, () => ({
        kind: 'bytes',
        status: 200,
        body,
      }))
      await post(server, { key: 'k1' })
      assert.equal((await post(server, { key: 'k1' })).body.equals(body), true)
    },
  },

  {
    name: 'does not tell the answer of a run whose lease was lost',
    async run(kit) {
      const { answer, winner } = await overtaken(kit, () => ({
        kind: 'json',
        status: 201,
        headers: [['X-Secret', 's']],
        value: { run: 'late' },
      }))
      const late = await answer.whole()
      assert.equal(late.status, 409)
      assertMembers(jsonOf(late), { code: 'outcome-unknown' })
      assert.equal(headerOf(late, 'Content-Type'), 'application/problem+json')
      assert.deepEqual(linesOf(late, 'X-Secret'), [])
      assert.deepEqual(jsonOf(winner), { run: 'takeover' })
    },
  },

  {
    name: 'does not tell the answer of a run that an operator settled meanwhile',
    async run(kit) {
      const store = kit.createStore()
      const gate = deferred()
      const running = deferred()
      const hung = await kit.start(
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
      assert.equal(
        await store.inspect?.settle(stuck?.id ?? '', { kind: 'response', response: settled }),
        'settled',
      )
      gate.resolve()
      assertMembers(jsonOf(await late), { code: 'outcome-unknown' })
      assert.equal((await post(hung, { key: 'k1' })).body.toString(), 'settled')
    },
  },

  {
    name: 'cuts off the answer of a run whose lease was lost after it began',
    needs: ['streams'],
    async run(kit) {
      const { answer, winner } = await overtaken(kit, (gate) => ({
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
      assert(told.includes('begun'))
      assert(!told.includes('\r\n0\r\n'))
      assert.deepEqual(jsonOf(winner), { run: 'takeover' })
    },
  },

  {
    name: 'answers 503 and does not run when the store is down, or runs unguarded where that was chosen',
    async run(kit) {
      const store = storeWith(kit.createStore(), { claim: () => Promise.reject(new Error('down')) })
      const keys: unknown[] = []
      const handler = ({ idempotency }: { idempotency: { key: string | undefined } }): AdapterAnswer => {
        keys.push(idempotency.key)
        return { kind: 'json', status: 201, value: {} }
      }
      const closed = await kit.start({ scope: false, store }, handler)
      const refused = await post(closed, { key: 'k1' })
      assert.equal(refused.status, 503)
      assert.equal(headerOf(refused, 'Retry-After'), '1')
      assertMembers(jsonOf(refused), { code: 'store-unavailable', retryable: true })
      assert.deepEqual(keys, [])

      const open = await kit.start({ scope: false, store, onStoreError: 'bypass' }, handler)
      assert.equal((await post(open, { key: 'k1' })).status, 201)
      assert.deepEqual(keys, [undefined])
    },
  },

  {
    name: 'tells the truth when the store is down at the end, and records it later',
    async run(kit) {
      let down = true
      const store = storeWith(kit.createStore(), {
        complete: () => (down ? Promise.reject(new Error('down')) : undefined),
      })
      let runs = 0
      const server = await kit.start({ scope: false, store }, () => {
        runs += 1
        return { kind: 'json', status: 201, value: { run: runs } }
      })
      assert.equal((await post(server, { key: 'k1' })).status, 201)
      assert.equal((await post(server, { key: 'k1' })).status, 409)
      down = false
      await eventually('the record', async () => (await post(server, { key: 'k1' })).status === 201)
      assert.deepEqual(jsonOf(await post(server, { key: 'k1' })), { run: 1 })
      assert.equal(runs, 1)
    },
  },
]

/** A store whose `complete` begins and then waits to be let through. */
function storeThatWaits(kit: AdapterKit): {
  store: Store
  recording: Deferred<void>
  durable: Deferred<void>
} {
  const recording = deferred()
  const durable = deferred()
  const store = storeWith(kit.createStore(), {
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
  kit: AdapterKit,
  late: (gate: Promise<void>) => AdapterAnswer,
): Promise<{
  answer: { connection: RawConnection; whole: RawConnection['answer'] }
  winner: Awaited<ReturnType<typeof post>>
}> {
  const store = kit.createStore()
  const running = deferred()
  const gate = deferred()
  const options = { scope: false, store, recovery: 'rerun', lease: 20 } as const
  const hung = await kit.start({ ...options, clock: stoppedProcessClock }, async () => {
    running.resolve()
    const answer = late(gate.promise)
    if (answer.kind !== 'stream') await gate.promise
    return answer
  })
  const alive = await kit.start(options, () => ({
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

function streamOf(...words: string[]): AdapterAnswer {
  return {
    kind: 'stream',
    status: 200,
    chunks: async function* () {
      for (const word of words) {
        yield Buffer.from(word)
        await sleep(5)
      }
    },
  }
}
