// Redis goes away in every way that it can, under load, with records on its disk: nobody waits for longer than
// was said, nothing is charged twice, and the service is back within a second of the server.
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnRedis, startTcpProxy } from '../../scripts/services/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { controlOf } from '../support/redis-connections.ts'
import { ioredisClient, nodeRedisClient } from '../support/redis-clients.ts'
import { type Account, handlerMs, type Load, startLoad, storeTimeoutMs } from '../support/load.ts'
import { servers } from '../support/servers.ts'

const started = await servers(async () => {
  const server = await startOwnRedis({ appendOnly: true })
  return { server, proxy: await startTcpProxy(server.port) }
})

if (started !== undefined) {
  const { server, proxy } = started
  const control = controlOf(server.url)
  // The settings of docs/redis.md.
  const clients = {
    ioredis: ioredisClient(
      new Redis({
        port: proxy.port,
        host: '127.0.0.1',
        retryStrategy: () => 100,
        socketTimeout: 1_000,
        connectTimeout: 1_000,
      }),
    ),
    'node-redis': await nodeRedisClient(
      createClient({
        socket: {
          port: proxy.port,
          host: '127.0.0.1',
          reconnectStrategy: 100,
          socketTimeout: 1_000,
          connectTimeout: 1_000,
        },
        pingInterval: 400,
      }),
    ),
  }
  afterAll(async () => {
    for (const { close } of Object.values(clients)) close()
    await proxy.close()
    await server.stop()
  })

  /** Breaks something, waits, and mends it; resolves when it is mended. */
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'killed, and started again with its append-only file': async () => {
      await server.kill()
      await sleep(700)
      await server.restart()
    },
    'frozen for a while': async () => {
      server.signal('SIGSTOP')
      await sleep(1_500)
      server.signal('SIGCONT')
    },
    'paused by CLIENT PAUSE': async () => {
      await control.client('PAUSE', 900, 'ALL')
      await sleep(900)
    },
    'cut off, with the connections ended': async () => {
      proxy.cut()
    },
    'cut off, with the connections reset': async () => {
      proxy.reset()
    },
    'not reachable for a while': async () => {
      proxy.shut()
      await sleep(800)
      proxy.open()
    },
    'behind connections that are half open': async () => {
      proxy.goSilent()
      // ioredis notices after its socketTimeout. node-redis takes its own writes for signs of life: the store
      // stops sending after 2 s without an answer, and its socketTimeout counts from then.
      await sleep(3_000)
    },
    'slow to answer: its answers are lost on the way': async () => {
      proxy.holdAnswers()
      await sleep(600)
      proxy.cut()
      proxy.resume()
    },
  }

  for (const [fault, breakAndMend] of Object.entries(faults)) {
    describe(`Redis is ${fault}`, () => {
      test('answers come in time, nothing happens twice, and service is back', async () => {
        const loads = Object.entries(clients).map(([name, { client }]): readonly [string, Load] => [
          name,
          startLoad(redisStore(client, { silence: ['redis-not-persistent'] })),
        ])
        await sleep(200)
        await breakAndMend()
        for (const [client, back] of await Promise.all(
          loads.map(async ([name, load]) => [name, await load.untilServed()] as const),
        )) {
          expect(back, `${client}: ms until service was back`).toBeLessThan(1_000)
        }
        await sleep(200)
        const accounts = await Promise.all(
          loads.map(async ([name, load]) => [name, await load.finish()] as const),
        )
        for (const [name, account] of accounts) expectHonest(name, account)
      })
    })
  }
}

/** Claim and completion are bounded by the same time each; the rest is for a machine that is busy. */
const latestAnswerMs = 2 * storeTimeoutMs + handlerMs + 300

function expectHonest(name: string, account: Account): void {
  const { effects, told, slowestMs, answers } = account
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
  expect([...answers.keys()].filter((answer) => !known.has(answer))).toEqual([])
}
