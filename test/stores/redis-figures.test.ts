// What the store costs: client commands for each request, and bytes for each record.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import { recordId } from '../../src/protocol/identity.ts'
import { fingerprintOf } from '../../src/protocol/fingerprint.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { controlOf } from '../support/redis-connections.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startOwnRedis())
if (server !== undefined) {
  afterAll(() => server.stop())
  const control = controlOf(server.url)
  const silence = ['redis-not-persistent'] as const

  describe('client commands', () => {
    for (const library of ['ioredis', 'node-redis']) {
      test(`${library}: two for a first request, one for a replay, one for a refusal`, async () => {
        const client =
          library === 'ioredis' ? new Redis(server.url) : await createClient({ url: server.url }).connect()
        const prefix = `${randomUUID()}:`
        const once = idempotencyOver({ store: redisStore(client, { prefix, silence }) }, () => {
          throw new Error('a store was given')
        })
        const run = (key: string, payload = 'same') =>
          once.run({ key, scope: false, payload }, () => ({ charged: key }))
        // Teaches the server the scripts; the store asks for the server's settings after its first claim.
        await run('warm-up')
        await sleep(50)

        const commands = await commandsDuring(server.port, async () => void (await run('k')))
        expect(commands.map(nameOf)).toEqual(['evalsha', 'evalsha'])
        expect(await commandsDuring(server.port, async () => void (await run('k')))).toHaveLength(1)
        const refusal = async () => {
          await expect(run('k', 'another')).rejects.toMatchObject({ code: 'key-reused' })
        }
        expect(await commandsDuring(server.port, refusal)).toHaveLength(1)
        await once.close()
        await client.quit()
      })
    }
  })

  test('ioredis: the commands of one turn leave in one write', async () => {
    const store = redisStore(control, { prefix: `${randomUUID()}:`, silence })
    const claim = (id: string) =>
      store.claim({
        id,
        owner: randomUUID(),
        fingerprint: 'b1:x',
        policy: { recovery: 'refuse', retainMs: 60_000, retainUnknownMs: 60_000 },
        leaseMs: 30_000,
      })
    await claim('warm-up')
    const sentBytes = control.stream.bytesWritten - control.stream.writableLength
    const claims = [claim('a'), claim('b'), claim('c')]
    // Nothing has left yet, and it does without waiting for anything else.
    expect(control.stream.bytesWritten - control.stream.writableLength).toBe(sentBytes)
    expect(control.stream.writableCorked).toBe(1)
    expect(await Promise.all(claims)).toMatchObject([
      { kind: 'claimed' },
      { kind: 'claimed' },
      { kind: 'claimed' },
    ])
    expect(control.stream.writableCorked).toBe(0)
  })

  describe('MEMORY USAGE of a completed record', () => {
    const store = redisStore(control, { silence })
    for (const bodyBytes of [0, 40, 120, 250, 500, 1_000, 2_000]) {
      test(`with a body of ${bodyBytes} bytes: body, headers and at most 300 bytes, key included, before the allocator rounds up`, async () => {
        const body = Buffer.alloc(bodyBytes, '{"id":17}')
        const headers = [
          ['Content-Type', 'application/json; charset=utf-8'],
          ['Location', `/orders/${randomUUID()}`],
          ['ETag', 'W/"3e8-k1bJ6Z"'],
        ] as const
        const key = randomUUID()
        const id = recordId('user-17', key)
        const claimed = {
          id,
          owner: randomUUID(),
          fingerprint: fingerprintOf({
            method: 'POST',
            target: '/api/orders',
            mediaType: 'application/json',
            body: { kind: 'bytes', bytes: Buffer.from('{"item":17}') },
          }),
          policy: { recovery: 'refuse', retainMs: 86_400_000, retainUnknownMs: 2_592_000_000 },
          leaseMs: 30_000,
          label: { key, scope: 'user-17' },
        } as const
        const result = await store.claim(claimed)
        if (result.kind !== 'claimed') throw new Error(result.kind)
        const response = { kind: 'kept', status: 201, headers, body } as const
        const lease = { ...claimed, ...result, takeover: false }
        await store.complete(lease, { kind: 'response', failed: false, response })

        const usage = Number(await control.memory('USAGE', `hapax:${id}`))
        const headerBytes = headers.flat().reduce((sum, text) => sum + text.length, 0)
        const over = usage - bodyBytes - headerBytes
        const { length } = (await control.getBuffer(`hapax:${id}`)) ?? { length: 0 }
        expect(over - roundingOf(length)).toBeLessThanOrEqual(300)
      })
    }
  })
}

/** What jemalloc adds to a string of so many bytes: its sizes are four between each two powers of two. */
function roundingOf(stringBytes: number): number {
  const bytes = stringBytes + (stringBytes < 256 ? 4 : 6)
  const step = 2 ** Math.max(4, Math.ceil(Math.log2(bytes)) - 3)
  return Math.ceil(bytes / step) * step - bytes
}

/** Every command that clients sent meanwhile, without those that scripts called and those of this test. */
async function commandsDuring(port: number, work: () => Promise<void>): Promise<string[]> {
  const marker = new Redis(port, '127.0.0.1')
  const watcher = await marker.monitor()
  const commands: string[] = []
  watcher.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') commands.push(args.join(' '))
  })
  await work()
  const end = `end-${randomUUID()}`
  await marker.echo(end)
  while (!commands.some((command) => command.endsWith(end))) await sleep(5)
  watcher.disconnect()
  marker.disconnect()
  // The marker's own connection says hello before it speaks.
  return commands.filter((command) => /^(evalsha|eval|get|set|wait|subscribe|publish|scan)\b/i.test(command))
}

function nameOf(command: string): string {
  return command.split(' ', 1)[0]?.toLowerCase() ?? ''
}
