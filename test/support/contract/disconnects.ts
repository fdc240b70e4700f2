import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred, eventually } from '../deferred.ts'
import { encodeRequest, jsonOf, linesOf, RawConnection, type RawRequest } from '../raw-http.ts'
import { countingStore, storeWith } from '../stores.ts'
import { type AdapterSubject, post } from './subject.ts'

const target = '/orders'
const headers = [
  ['Content-Type', 'application/json'],
  ['Idempotency-Key', 'k1'],
] as const
const request: RawRequest = { target, headers, body: JSON.stringify({ item: 17 }) }

const hangUps = {
  'a reset': (connection: RawConnection): void => connection.reset(),
  'a close': (connection: RawConnection): void => connection.close(),
}

export function disconnectCases(subject: AdapterSubject): void {
  for (const [how, hangUp] of Object.entries(hangUps)) {
    it(`records the outcome after ${how} before the handler answers`, async () => {
      const running = deferred()
      const gate = deferred()
      let runs = 0
      const server = await subject.start({ scope: false }, async () => {
        runs += 1
        running.resolve()
        await gate.promise
        return { kind: 'json', status: 201, headers: [['Location', '/orders/17']], value: { id: 17 } }
      })
      const connection = await RawConnection.open(server.port)
      connection.send(request)
      await running.promise
      hangUp(connection)
      await sleep(20)
      expect((await post(server, { key: 'k1' })).status).toBe(409)
      gate.resolve()
      const retried = await retryUntilDone(server)
      expect(retried.status).toBe(201)
      expect(jsonOf(retried)).toEqual({ id: 17 })
      expect(linesOf(retried, 'Location')).toEqual(['/orders/17'])
      expect(runs).toBe(1)
      await server.drained()
    })

    it(`runs with its whole body after ${how} while the claim is on its way`, async () => {
      const claiming = deferred()
      const gate = deferred()
      const store = storeWith(memoryStore(), {
        async claim() {
          claiming.resolve()
          await gate.promise
        },
      })
      let runs = 0
      const server = await subject.start({ scope: false, store }, async (call) => {
        runs += 1
        const body = await call.body()
        return { kind: 'bytes', status: 201, body }
      })
      const connection = await RawConnection.open(server.port)
      connection.send(request)
      await claiming.promise
      hangUp(connection)
      await sleep(20)
      gate.resolve()
      await eventually('the handler to run', () => runs === 1)
      const retried = await retryUntilDone(server)
      expect(retried.status).toBe(201)
      expect(retried.body.toString()).toBe(request.body)
      expect(runs).toBe(1)
      await server.drained()
    })

    it(`records a stream whole after ${how} in its middle`, async () => {
      const gone = deferred()
      let runs = 0
      // Far more than sockets buffer, so that the handler meets backpressure, then silence.
      const chunk = Buffer.alloc(64 * 1024, 'c')
      const server = await subject.start({ scope: false, maxResponseBytes: 16 * 1024 * 1024 }, () => {
        runs += 1
        return {
          kind: 'stream',
          status: 200,
          chunks: async function* () {
            for (let index = 0; index < 20; index += 1) yield chunk
            await gone.promise
            for (let index = 0; index < 100; index += 1) yield chunk
          },
        }
      })
      const connection = await RawConnection.open(server.port)
      connection.send(request)
      await connection.until('a part', (received) => (received.length > 1000 ? true : undefined))
      connection.pause()
      hangUp(connection)
      await sleep(20)
      gone.resolve()
      const retried = await retryUntilDone(server)
      expect(retried.status).toBe(200)
      expect(retried.body.length).toBe(120 * chunk.length)
      expect(runs).toBe(1)
      await server.drained()
    })
  }

  it('leaves a tombstone when the client has gone and the answer grows beyond what is kept', async () => {
    const gone = deferred()
    const running = deferred()
    let runs = 0
    const server = await subject.start({ scope: false, maxResponseBytes: 1_000 }, () => {
      runs += 1
      running.resolve()
      return {
        kind: 'stream',
        status: 200,
        chunks: async function* () {
          yield Buffer.from('begun')
          await gone.promise
          for (let index = 0; index < 50; index += 1) yield Buffer.alloc(100)
        },
      }
    })
    const connection = await RawConnection.open(server.port)
    connection.send(request)
    await connection.until('the first chunk', (received) => (received.includes('begun') ? true : undefined))
    connection.reset()
    await sleep(20)
    gone.resolve()
    const retried = await retryUntilDone(server)
    expect(jsonOf(retried)).toMatchObject({
      code: 'response-not-kept',
      originalStatus: 200,
      reason: 'too-large',
    })
    expect(runs).toBe(1)
    await server.drained()
  })

  it('claims nothing for a request that was cut off in its body', async () => {
    const { store, calls } = countingStore(memoryStore())
    let runs = 0
    const server = await subject.start({ scope: false, store }, () => {
      runs += 1
      return { kind: 'json', status: 201, value: {} }
    })
    const whole = encodeRequest(request)
    const chunked = encodeRequest({ target, headers, chunks: ['{"item":', '17}'] })
    for (const cut of [whole.subarray(0, -4), chunked.subarray(0, -5)]) {
      for (const hangUp of Object.values(hangUps)) {
        const connection = await RawConnection.open(server.port)
        connection.send(cut)
        await sleep(10)
        hangUp(connection)
      }
    }
    await sleep(20)
    expect(calls.claim).toBe(0)
    expect((await post(server, { key: 'k1' })).status).toBe(201)
    expect(runs).toBe(1)
    await server.drained()
  })

  it('lets a client give up and retry again and again', async () => {
    const gate = deferred()
    let runs = 0
    const server = await subject.start({ scope: false }, async () => {
      runs += 1
      await gate.promise
      return { kind: 'json', status: 201, value: { run: runs } }
    })
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const connection = await RawConnection.open(server.port)
      connection.send(request)
      await sleep(5)
      connection.reset()
    }
    gate.resolve()
    expect(jsonOf(await retryUntilDone(server))).toEqual({ run: 1 })
    expect(runs).toBe(1)
    await server.drained()
  })

  it('does not pile up listeners over many hang-ups on one connection each', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning.name)
    process.on('warning', onWarning)
    const server = await subject.start({ scope: false, maxResponseBytes: 1 << 20 }, () => ({
      kind: 'stream',
      status: 200,
      chunks: async function* () {
        for (let index = 0; index < 30; index += 1) {
          await sleep(0)
          yield Buffer.alloc(1000)
        }
      },
    }))
    const connection = await RawConnection.open(server.port)
    for (let turn = 0; turn < 15; turn += 1) {
      connection.send({ ...request, headers: [['Idempotency-Key', `k${turn}`]] })
      await connection.answer()
    }
    connection.close()
    await server.drained()
    await sleep(5)
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
}

/** Retries as a client does, until the key is no longer in progress. */
async function retryUntilDone(server: { port: number }): ReturnType<typeof post> {
  let answer = await post(server, { key: 'k1' })
  await eventually('the run to end', async () => {
    const inProgress = answer.status === 409 && jsonOf(answer)['code'] === 'in-progress'
    if (inProgress) answer = await post(server, { key: 'k1' })
    return !inProgress
  })
  return answer
}
