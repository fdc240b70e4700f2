// What is special about Redis: memory that runs out, scripts that are forgotten, claims that arrive late,
// prefixes, settings that lose records.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import type { ClaimRequest, HeldLease, Store } from '../../src/core/store.ts'
import { redisStore, type RedisStoreOptions } from '../../src/stores/redis.ts'
import { controlOf } from '../support/redis-connections.ts'
import { servers } from '../support/servers.ts'

const silence = ['redis-not-persistent', 'redis-evicts'] as const
const policy = { recovery: 'refuse', retainMs: 3_600_000, retainUnknownMs: 7_200_000 } as const
const response = {
  kind: 'kept',
  status: 201,
  headers: [['Location', '/orders/17']],
  body: Buffer.alloc(50_000, 'x'),
} as const

const server = await servers(() => startOwnRedis())
if (server !== undefined) {
  const control = controlOf(server.url)
  afterAll(() => server.stop())
  afterEach(async () => {
    vi.useRealTimers()
    await control.config('SET', 'maxmemory', '0')
  })
  let count = 0
  const freshStore = (options: RedisStoreOptions = {}): Store => {
    count += 1
    return redisStore(control, { prefix: `limits-${count}:`, silence, ...options })
  }

  describe('out of memory', () => {
    const exhaust = () => control.config('SET', 'maxmemory', '1mb')

    test('a run that began is renewed, recorded without its body, and never runs again', async () => {
      const store = freshStore()
      const lease = await mustClaim(store, 'k')
      await exhaust()
      expect(await store.renew([lease])).toEqual(['renewed'])
      expect(await store.complete(lease, { kind: 'response', failed: false, response })).toBe('written')
      await expect(store.claim(requestFor('new'))).rejects.toMatchObject({ code: 'store-full' })
      await control.config('SET', 'maxmemory', '0')
      const replay = await store.claim(requestFor('k'))
      expect(replay).toMatchObject({
        kind: 'completed',
        response: { kind: 'tombstone', status: 201, location: '/orders/17', reason: 'store-refused' },
      })
      expect((await store.claim(requestFor('new'))).kind).toBe('claimed')
    })

    test('a claim can be released, abandoned, given up as unknown and forgotten', async () => {
      const store = freshStore()
      const [a, b, c] = [
        await mustClaim(store, 'a'),
        await mustClaim(store, 'b'),
        await mustClaim(store, 'c'),
      ]
      await exhaust()
      expect(await store.release(a, { clean: true })).toBe('written')
      await store.abandon('b', b.owner)
      expect(await store.complete(c, { kind: 'unknown' })).toBe('written')
      expect(await store.inspect?.forget('c')).toBe(true)
    })

    test('the first caller is told the truth, and a retry neither charges again nor is stuck', async () => {
      const guard = idempotencyOver({ store: freshStore(), on: () => {} }, () => freshStore())
      let charges = 0
      const pay = () =>
        guard.run({ key: 'pay', scope: false }, async () => {
          charges += 1
          await exhaust()
          return { charged: 'x'.repeat(1_000) }
        })
      expect(await pay()).toEqual({ charged: 'x'.repeat(1_000) })
      await control.config('SET', 'maxmemory', '0')
      await expect(pay()).rejects.toMatchObject({ code: 'response-not-kept' })
      expect(charges).toBe(1)
      await guard.close()
    })
  })

  describe('scripts', () => {
    test('a server that forgot the scripts learns them again, also in the middle of a batch', async () => {
      const store = freshStore()
      const [a, b] = [await mustClaim(store, 'a'), await mustClaim(store, 'b')]
      await control.script('FLUSH')
      expect(await store.renew([a, b])).toEqual(['renewed', 'renewed'])
      await control.script('FLUSH')
      expect(await store.complete(a, { kind: 'response', failed: false, response })).toBe('written')
    })

    test('an error that is not a missing script is not tried again', async () => {
      const store = freshStore()
      await control.config('RESETSTAT')
      await expect(store.claim({ ...requestFor('k'), leaseMs: Number.NaN })).rejects.toMatchObject({
        code: 'store-failed',
      })
      const stats = await control.info('commandstats')
      const calls = [...stats.matchAll(/cmdstat_(?:evalsha|eval):calls=(\d+)/g)].map((match) =>
        Number(match[1]),
      )
      // The digest may be unknown here, and then the source is sent: once, and no more.
      expect(calls.every((number) => number === 1)).toBe(true)
    })
  })

  describe('claims that arrive late', () => {
    test('a claim that reaches the server after a whole lease is not carried out', async () => {
      const client = new Redis(server.url)
      await once(client, 'ready')
      const store = redisStore(client, { prefix: 'late:', silence })
      await mustClaim(store, 'warm-up')
      server.signal('SIGSTOP')
      const late = store.claim({ ...requestFor('k'), leaseMs: 200 })
      const outcome = expect(late).rejects.toMatchObject({ code: 'store-failed' })
      await sleep(1_100)
      server.signal('SIGCONT')
      await outcome
      expect(await store.inspect?.get('k')).toBeUndefined()
      client.disconnect()
    })

    test.each([-3_600_000, 3_600_000])('a clock that is %i ms off costs one command, once', async (offMs) => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offMs })
      const store = freshStore()
      await mustClaim(store, 'warm-up')
      await control.config('RESETSTAT')
      await mustClaim(store, 'k')
      expect(await control.info('commandstats')).toContain('cmdstat_evalsha:calls=1,')
    })
  })

  describe('names', () => {
    test("a client's own keyPrefix stands before the store's, in every verb", async () => {
      const client = new Redis(server.url, { keyPrefix: 'app[1]*:' })
      const store = redisStore(client, { prefix: 'names:', silence })
      const lease = await mustClaim(store, 'k')
      expect(await control.exists('app[1]*:names:k')).toBe(1)
      const told = new Promise<void>((resolve) => void store.watch?.('k', resolve))
      await sleep(50)
      await store.release(lease, { clean: true })
      await told
      const page = await store.inspect?.list({ limit: 10 })
      expect(page?.records.map(({ id }) => id)).toEqual(['k'])
      await store.close()
      client.disconnect()
    })
  })

  describe('watching', () => {
    test('a subscription that was cut is made again, and its watchers look again', async () => {
      const store = freshStore()
      const lease = await mustClaim(store, 'k')
      let calls = 0
      const stop = await store.watch?.('k', () => {
        calls += 1
      })
      await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await vi.waitFor(() => expect(calls).toBe(1), 3_000)
      await store.release(lease, { clean: true })
      await vi.waitFor(() => expect(calls).toBe(2), 3_000)
      stop?.()
      await store.close()
      expect(await control.pubsub('NUMSUB', `limits-${count}:k`)).toEqual([`limits-${count}:k`, 0])
    })
  })

  describe('checks at the start', () => {
    const warningsOf = async (options: RedisStoreOptions) => {
      const warn = vi.fn<(message: string) => void>()
      const store = freshStore({ logger: { warn }, silence: [], ...options })
      await mustClaim(store, 'a')
      await mustClaim(store, 'b')
      await sleep(100)
      return warn.mock.calls.map(([message]) => /\[(.*): docs/.exec(message)?.[1])
    }

    test('settings that lose records are reported once each, and can be silenced', async () => {
      expect(await warningsOf({})).toEqual(['redis-not-persistent'])
      await control.config('SET', 'maxmemory-policy', 'allkeys-lru')
      expect(await warningsOf({})).toEqual(['redis-evicts', 'redis-not-persistent'])
      expect(await warningsOf({ silence: ['redis-evicts'] })).toEqual(['redis-not-persistent'])
      await control.config('SET', 'maxmemory-policy', 'noeviction')
    })

    test('a server without CONFIG only loses the checks', async () => {
      const user = new Redis(server.url, { username: 'plain', password: 'secret', lazyConnect: true })
      await control.acl('SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-config')
      const warn = vi.fn<(message: string) => void>()
      const store = redisStore(user, { prefix: 'plain:', logger: { warn } })
      await mustClaim(store, 'k')
      await sleep(100)
      expect(warn).not.toHaveBeenCalled()
      user.disconnect()
    })
  })

  describe('options and clients', () => {
    test('a wrong option or client is named', () => {
      expect(() => redisStore(control, { prefix: '' })).toThrow(/"prefix"/)
      expect(() => redisStore(control, { waitReplicas: { count: 0 } })).toThrow(/"count"/)
      // @ts-expect-error An option that does not exist.
      expect(() => redisStore(control, { ttl: 1 })).toThrow(/Unknown option "ttl"/)
      // @ts-expect-error Not a client.
      expect(() => redisStore({})).toThrow(/"client"/)
    })

    test('replicas that are waited for and do not exist fail the claim', async () => {
      const store = freshStore({ waitReplicas: { count: 1, timeout: 20 } })
      await expect(store.claim(requestFor('k'))).rejects.toMatchObject({ code: 'store-failed' })
    })

    test('a node-redis client without an error listener does not end the process', async () => {
      const own = await startOwnRedis()
      const client = await createClient({ url: own.url, socket: { reconnectStrategy: 20 } }).connect()
      const store = redisStore(client, { silence })
      await own.kill()
      await expect(store.claim(requestFor('k'))).rejects.toMatchObject({ code: 'store-failed' })
      client.destroy()
      await own.stop()
    })
  })
}

let requests = 0

function requestFor(id: string): ClaimRequest {
  requests += 1
  return { id, owner: `owner ${requests}`, fingerprint: 'b1:x', policy, leaseMs: 30_000 }
}

async function mustClaim(store: Store, id: string): Promise<HeldLease> {
  const request = requestFor(id)
  const result = await store.claim(request)
  if (result.kind !== 'claimed') throw new Error(`The claim was not granted: ${result.kind}.`)
  return { ...request, token: result.token, attempt: result.attempt, takeover: false }
}
