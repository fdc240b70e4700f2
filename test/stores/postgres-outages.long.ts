// Postgres goes away in every way that it can, under load: nobody waits for longer than was said, nothing is lost or done
// twice, and the service is back soon after the server.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Pool } from 'pg'
import postgres from 'postgres'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnPostgres, startTcpProxy } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { type Account, handlerMs, type Load, startLoad, storeTimeoutMs } from '../support/load.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'

const started = await servers(async () => {
  const server = await startOwnPostgres()
  return { server, proxy: await startTcpProxy(server.port) }
})

if (started !== undefined) {
  const { server, proxy } = started
  const url = `postgres://hapax@127.0.0.1:${proxy.port}/postgres`
  const pool = new Pool({ connectionString: url, connectionTimeoutMillis: 1_000 })
  pool.on('error', () => {})
  // The settings of docs/postgres.md.
  const sql = postgres(url, {
    connect_timeout: 1,
    backoff: () => 0.1,
    fetch_types: false,
    onnotice: () => {},
  })
  const clients = { pg: pool, 'postgres.js': sql }
  const options = { silence: ['postgres-forgets'] as const, lockTimeout: 300, answerTimeout: 1_000 }
  afterAll(async () => {
    await Promise.all([pool.end(), sql.end({ timeout: 1 })])
    await proxy.close()
    await server.stop()
  })

  interface Fault {
    readonly breakAndMend: () => Promise<void>
    readonly backWithinMs?: number
    /** postgres.js gives no connection up that does not answer, and the store can't close it. */
    readonly only?: 'pg'
  }

  const faults: Readonly<Record<string, Fault>> = {
    'killed, and started again': {
      breakAndMend: async () => {
        await server.kill()
        await sleep(700)
        await server.restart()
      },
    },
    'killed and started again three times': {
      breakAndMend: async () => {
        for (let time = 0; time < 3; time += 1) {
          await server.restart()
          await sleep(300)
        }
      },
    },
    'frozen for a while': {
      breakAndMend: async () => {
        server.signalAll('SIGSTOP')
        await sleep(1_500)
        server.signalAll('SIGCONT')
      },
    },
    'ending all connections': {
      breakAndMend: async () => {
        const control = new Client({ connectionString: server.url })
        await control.connect()
        await control.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )
        await control.end()
      },
    },
    'cut off, with the connections reset': { breakAndMend: async () => proxy.reset() },
    'not reachable for a while': {
      breakAndMend: async () => {
        proxy.shut()
        await sleep(800)
        proxy.open()
      },
    },
    'behind connections that are half open': {
      // They are given up after answerTimeout.
      breakAndMend: async () => {
        proxy.goSilent()
        await sleep(1_200)
      },
      only: 'pg',
    },
    'slow to answer: its answers are lost on the way': {
      breakAndMend: async () => {
        proxy.holdAnswers()
        await sleep(600)
        proxy.cut()
        proxy.resume()
      },
    },
  }

  for (const [fault, { breakAndMend, backWithinMs = 3_000, only }] of Object.entries(faults)) {
    describe(`Postgres is ${fault}`, () => {
      test('answers come in time, nothing happens twice or is lost, and service is back', async () => {
        const chosen = Object.entries(clients).filter(([name]) => only === undefined || name === only)
        const loads = chosen.map(([name, client]): readonly [string, Load] => [
          name,
          startLoad(postgresStore(client, options)),
        ])
        await sleep(500)
        await breakAndMend()
        const backMs = await Promise.all(loads.map(async ([, load]) => load.untilServed()))
        await sleep(300)
        // Ended before anything is judged: a load that goes on would spoil the next fault's.
        const accounts = await Promise.all(loads.map(async ([, load]) => load.finish()))
        if (process.env['HAPAX_SHOW']) console.log(fault, 'back after ms', backMs.map(Math.round))
        for (const [index, [name]] of loads.entries()) {
          const account = accounts[index]
          if (account !== undefined) expectHonest(name, account)
          expect(backMs[index], `${name}: ms until service was back`).toBeLessThan(backWithinMs)
        }
      })
    })
  }

  test('a watcher is told of what happens after the server was killed and restarted', async () => {
    for (const client of [pool, sql]) {
      const store = postgresStore(client, { ...options, pollEvery: '100ms' })
      const request = requestFor(randomUUID())
      const result = await store.claim(request)
      if (result.kind !== 'claimed') throw new Error(result.kind)
      let rung = 0
      await store.watch?.(request.id, () => {
        rung += 1
      })
      await server.kill()
      await sleep(1_000)
      await server.restart()
      // By a ping at the latest it is known that the connection is lost.
      await sleep(7_000)
      const before = rung
      const lease = { ...request, ...result, takeover: false }
      await expect
        .poll(() => store.complete(lease, answer('x')).catch(() => 'failed'), { timeout: 5_000 })
        .toBe('written')
      await expect.poll(() => rung, { timeout: 2_000 }).toBeGreaterThan(before)
      await store.close()
    }
  })

  test('a claim that lay in a frozen server for longer than its lease locks nothing', async () => {
    const store = postgresStore(pool, options)
    await store.claim(requestFor(randomUUID()))
    // Until a connection is idle, on which the claim still reaches the server.
    await sleep(200)
    const id = randomUUID()
    server.signalAll('SIGSTOP')
    const late = store.claim(requestFor(id, { leaseMs: 500 })).then(
      ({ kind }) => kind,
      () => 'refused',
    )
    await sleep(2_000)
    server.signalAll('SIGCONT')
    expect(await late).toBe('refused')
    await sleep(500)
    expect(await store.inspect?.get(id)).toBeUndefined()
    await store.close()
  })
}

/** Claim and completion are bounded by the same time each; the rest is for a machine that is busy. */
const latestAnswerMs = 2 * storeTimeoutMs + handlerMs + 500

function expectHonest(name: string, { effects, told, slowestMs, answers }: Account): void {
  if (process.env['HAPAX_SHOW'])
    console.log(name, Math.round(slowestMs), Object.fromEntries(answers), effects.size)
  const twice = [...effects].filter(([, count]) => count > 1)
  expect(twice, `${name}: effects that happened twice`).toEqual([])
  expect(answers.get('another answer than before'), `${name}: answers that changed`).toBeUndefined()
  const untrue = [...told.keys()].filter((key) => !effects.has(key))
  expect(untrue, `${name}: told of an effect that never happened`).toEqual([])
  expect(told.size).toBeGreaterThan(20)
  expect(slowestMs, `${name}: the slowest answer`).toBeLessThan(latestAnswerMs)
  const known = new Set(['success', 'store-unavailable', 'in-progress', 'outcome-unknown'])
  expect([...answers.keys()].filter((each) => !known.has(each))).toEqual([])
}
