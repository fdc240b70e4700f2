// The demo and the storm with their records in a real Redis.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, expect, test } from 'vitest'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { withoutPassword } from '../../src/cli/connect/driver.ts'
import { connectRedis } from '../../src/cli/connect/redis.ts'
import { parseRedisUrl } from '../../src/cli/demo/store-address.ts'
import { createIdempotency } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import type { StormResult } from '../../src/cli/demo/storm/result.ts'
import { servers } from '../support/servers.ts'
import { runCli, startCliIn } from './run-cli.ts'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const server = await servers(() => startOwnRedis())
if (server !== undefined) {
  afterAll(() => server.stop())

  test('a storm on Redis with a server killed on the way charges nobody twice', async () => {
    const options = ['--storm', '--redis', server.url, '--intents', '60', '--seed', '7', '--json']
    const { exitCode, stdout } = await runCli('demo', ...options)
    const result: StormResult = JSON.parse(stdout)
    expect(result).toMatchObject({
      passed: true,
      killed: 1,
      store: expect.stringContaining(server.url),
      protected: { chargedTwice: 0, answeredNotCharged: 0, noAnswer: 0 },
    })
    expect(exitCode).toBe(0)
    expect(result.protected.replays).toBeGreaterThan(10)
    const keys = await keysOf(result.store)
    expect(keys.length).toBeGreaterThan(50)
  }, 60_000)

  test('hapax keys finds and settles keys in Redis', async () => {
    const client = new Redis(server.url)
    const once = createIdempotency({ store: redisStore(client) })
    const attempt = () =>
      once.run({ key: 'evt_1', scope: 'user-1', recovery: 'rerun' }, ({ step }) =>
        step('charge', () => Promise.reject(new Error('no answer'))),
      )
    await attempt().catch(() => {})
    await attempt().catch(() => {})
    await once.close()
    client.disconnect()

    const keys = (...options: readonly string[]) =>
      runCli('keys', ...options, '--store', server.url, '--json')
    const listed = await keys('list', '--state', 'unknown')
    expect(JSON.parse(listed.stdout)).toMatchObject({
      keys: [{ state: 'unknown', scope: 'user-1', key: 'evt_1' }],
    })
    const settled = await keys('settle', '--yes', '--scope', 'user-1', 'evt_1', '--body', '"by hand"')
    expect(settled).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^audit /) })
    const shown = await keys('show', '--scope', 'user-1', 'evt_1')
    expect(JSON.parse(shown.stdout)).toMatchObject({
      state: 'completed',
      record: { response: { body: '"by hand"' } },
    })
  }, 60_000)

  for (const library of ['ioredis', 'redis']) {
    test(`the demo on Redis, where only ${library} is installed`, async () => {
      const demo = startCliIn(projectWith(library), 'demo', '--port', '0', '--json', '--redis', server.url)
      let printed = ''
      demo.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
      while (!printed.includes('\n')) await sleep(20)
      const { url, store }: { url: string; store: string } = JSON.parse(printed)
      const order = async () => {
        const response = await fetch(`${url}/orders`, {
          method: 'POST',
          headers: { 'Idempotency-Key': 'k', 'Content-Type': 'application/json' },
          body: '{"item":"book","quantity":1}',
        })
        return [response.status, response.headers.get('idempotent-replayed'), await response.text()]
      }
      const [status, replayed, body] = await order()
      expect([status, replayed]).toEqual([201, null])
      expect(await order()).toEqual([201, 'true', body])
      expect(await keysOf(store)).toHaveLength(1)
      demo.kill('SIGTERM')
    }, 60_000)
  }

  async function keysOf(store: string): Promise<string[]> {
    const prefix = /keys (?<prefix>\S+:)/.exec(store)?.groups?.['prefix']
    return withControl((control) => control.keys(`${prefix}*`))
  }

  async function withControl<T>(work: (control: Redis) => Promise<T>): Promise<T> {
    const control = new Redis(server?.url ?? '')
    try {
      return await work(control)
    } finally {
      control.disconnect()
    }
  }
}

test.each(['ioredis', 'redis'])('a Redis that is not there is named, by %s', async (library) => {
  const place = join(projectWith(library), 'any.js')
  await expect(connectRedis('redis://user:secret@127.0.0.1:1', [place])).rejects.toThrow(
    /^Can't reach Redis at redis:\/\/user:\*\*\*@127\.0\.0\.1:1 \(with (io)?redis\): .*ECONNREFUSED/,
  )
})

test('without a library the command says which to install', async () => {
  await expect(connectRedis('redis://127.0.0.1:1', [join(projectWith(undefined), 'any.js')])).rejects.toThrow(
    'Redis needs a client: run "npm install ioredis", or "npm install redis".',
  )
})

test('addresses', async () => {
  expect(parseRedisUrl('rediss://host/3')).toMatchObject({ kind: 'redis', url: 'rediss://host/3' })
  for (const wrong of ['localhost:6379', 'http://host', 'redis://'])
    expect(parseRedisUrl(wrong)).toBeUndefined()
  expect(withoutPassword('redis://:secret@host:1')).toBe('redis://:***@host:1')
  const { exitCode, stderr } = await runCli('demo', '--redis', 'localhost')
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('redis://127.0.0.1'),
  })
})

/** A folder outside of this repository with one package installed, or none. */
function projectWith(library: string | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-redis-project-'))
  folders.push(folder)
  mkdirSync(join(folder, 'node_modules'))
  if (library !== undefined) {
    const installed = fileURLToPath(new URL(`../../node_modules/${library}`, import.meta.url))
    symlinkSync(installed, join(folder, 'node_modules', library))
  }
  return folder
}
