import { setTimeout as sleep } from 'node:timers/promises'
import assert from 'node:assert/strict'
import { deferred, eventually } from './deferred.ts'
import { encodeRequest, jsonOf, linesOf, RawConnection, type RawRequest } from './raw-http.ts'
import { countingStore, storeWith } from './stores.ts'
import { assertMembers, type AdapterCase, post } from './subject.ts'

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

export const disconnectCases: readonly AdapterCase[] = [
  ...Object.entries(hangUps).flatMap(([how, hangUp]): AdapterCase[] => [
    {
      name: `records the outcome after ${how} before the handler answers`,
      async run(kit) {
        const running = deferred()
        const gate = deferred()
        let runs = 0
        const server = await kit.start({ scope: false }, async () => {
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
        assert.equal((await post(server, { key: 'k1' })).status, 409)
        gate.resolve()
        const retried = await retryUntilDone(server)
        assert.equal(retried.status, 201)
        assert.deepEqual(jsonOf(retried), { id: 17 })
        assert.deepEqual(linesOf(retried, 'Location'), ['/orders/17'])
        assert.equal(runs, 1)
        await server.drained()
      },
    },

    {
      name: `runs with its whole body after ${how} while the claim is on its way`,
      async run(kit) {
        const claiming = deferred()
        const gate = deferred()
        const store = storeWith(kit.createStore(), {
          async claim() {
            claiming.resolve()
            await gate.promise
          },
        })
        let runs = 0
        const server = await kit.start({ scope: false, store }, async (call) => {
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
        assert.equal(retried.status, 201)
        assert.equal(retried.body.toString(), request.body)
        assert.equal(runs, 1)
        await server.drained()
      },
    },

    {
      name: `records a stream whole after ${how} in its middle`,
      needs: ['connections', 'streams', 'streams that outlive clients'],
      async run(kit) {
        const gone = deferred()
        let runs = 0
        // Far more than sockets buffer, so that the handler meets backpressure, then silence.
        const chunk = Buffer.alloc(64 * 1024, 'c')
        const server = await kit.start({ scope: false, maxResponseBytes: 16 * 1024 * 1024 }, () => {
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
        assert.equal(retried.status, 200)
        assert.equal(retried.body.length, 120 * chunk.length)
        assert.equal(runs, 1)
        await server.drained()
      },
    },
  ]),

  {
    name: 'leaves a tombstone when the client has gone and the answer grows beyond what is kept',
    needs: ['connections', 'streams', 'streams that outlive clients'],
    async run(kit) {
      const gone = deferred()
      const running = deferred()
      let runs = 0
      const server = await kit.start({ scope: false, maxResponseBytes: 1_000 }, () => {
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
      assertMembers(jsonOf(retried), {
        code: 'response-not-kept',
        originalStatus: 200,
        reason: 'too-large',
      })
      assert.equal(runs, 1)
      await server.drained()
    },
  },

  {
    name: 'claims nothing for a request that was cut off in its body',
    async run(kit) {
      const { store, calls } = countingStore(kit.createStore())
      let runs = 0
      const server = await kit.start({ scope: false, store }, () => {
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
      assert.equal(calls.claim, 0)
      assert.equal((await post(server, { key: 'k1' })).status, 201)
      assert.equal(runs, 1)
      await server.drained()
    },
  },

  {
    name: 'lets a client give up and retry again and again',
    async run(kit) {
      const gate = deferred()
      let runs = 0
      const server = await kit.start({ scope: false }, async () => {
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
      assert.deepEqual(jsonOf(await retryUntilDone(server)), { run: 1 })
      assert.equal(runs, 1)
      await server.drained()
    },
  },

  {
    name: 'does not pile up listeners over many hang-ups on one connection each',
    async run(kit) {
      const warnings: string[] = []
      const onWarning = (warning: Error): void => {
        if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning.message)
      }
      process.on('warning', onWarning)
      const server = await kit.start({ scope: false, maxResponseBytes: 1 << 20 }, () => ({
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
      assert.deepEqual(warnings, [])
    },
  },
]

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
