// A real redis-server with TLS, under a certificate of its own.
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { freePort } from '../../scripts/services/processes.ts'
import type { ClaimRequest } from '../../src/core/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { controlOf } from '../support/redis-connections.ts'
import { ioredisClient, nodeRedisClient, type OpenClient } from '../support/redis-clients.ts'
import { servers } from '../support/servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-tls-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
makeCertificate()
const ca = readFileSync(certificateFile)
const port = await freePort()
const host = '127.0.0.1'

const server = await servers(() =>
  startOwnRedis({
    settings: [
      '--tls-port',
      String(port),
      '--tls-auth-clients',
      'no',
      '--tls-cert-file',
      certificateFile,
      '--tls-key-file',
      keyFile,
      '--tls-ca-cert-file',
      certificateFile,
    ],
  }),
)
if (server !== undefined) {
  const control = controlOf(server.url)
  afterAll(() => server.stop())
  const url = `rediss://${host}:${port}`
  const openers: Record<string, () => Promise<OpenClient>> = {
    'ioredis 6': async () => ioredisClient(new Redis(url, { tls: { ca } })),
    'ioredis 5': async () => ioredisClient(new Redis5(url, { tls: { ca } })),
    'node-redis 6': async () => nodeRedisClient(createClient({ url, socket: { tls: true, ca } })),
    'node-redis 5': async () => nodeRedisClient(createClient5({ url, socket: { tls: true, ca } })),
  }

  describe.each(Object.entries(openers))('TLS: %s', (_, open) => {
    test('claims, records, replays, watches and lists', async () => {
      const { client, close } = await open()
      const prefix = `tls-${randomUUID()}:`
      const store = redisStore(client, { prefix, silence: ['redis-not-persistent'] })
      const request = requestFor('k')
      const claimed = await store.claim(request)
      if (claimed.kind !== 'claimed') throw new Error(claimed.kind)
      const told = new Promise<void>((resolve) => void store.watch?.('k', resolve))
      await waitUntilWatched(`${prefix}k`)

      // More than one TLS record holds.
      const body = Buffer.alloc(300_000, 'tls ')
      const response = { kind: 'kept', status: 201, headers: [['A', 'b']], body } as const
      const lease = { ...request, token: claimed.token, attempt: claimed.attempt, takeover: false }
      expect(await store.renew([lease, lease])).toEqual(['renewed', 'renewed'])
      expect(await store.complete(lease, { kind: 'response', failed: false, response })).toBe('written')
      await told
      expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'completed', response })
      const page = await store.inspect?.list({ limit: 10 })
      expect(page?.records.map(({ id }) => id)).toEqual(['k'])
      await store.close()
      close()
    })
  })

  test('the port speaks TLS only, and its certificate is checked', async () => {
    for (const options of [{}, { tls: {} }]) {
      const client = new Redis({ host, port, ...options, lazyConnect: true, retryStrategy: () => null })
      client.on('error', () => {})
      await expect(client.connect()).rejects.toThrow()
      client.disconnect()
    }
  })

  async function waitUntilWatched(channel: string): Promise<void> {
    await expect.poll(() => control.pubsub('NUMSUB', channel)).toEqual([channel, 1])
    // The third byte of a record has a flag for it.
    await expect.poll(async () => ((await control.getBuffer(channel))?.[2] ?? 0) & 4).toBe(4)
  }
}

function requestFor(id: string): ClaimRequest {
  const policy = { recovery: 'refuse', retainMs: 60_000, retainUnknownMs: 60_000 } as const
  return { id, owner: randomUUID(), fingerprint: 'b1:x', policy, leaseMs: 30_000 }
}

function makeCertificate(): void {
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...request, ...names, '-keyout', keyFile, '-out', certificateFile], {
    stdio: 'ignore',
  })
}
