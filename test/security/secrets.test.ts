// What a record holds, and what is said about a request to logs, events and clients: never a secret.
import { inspect } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import type { IdempotencyEvent } from '../../src/core/events.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { AdapterOptions, AdapterServer } from '../../src/testing/adapter.ts'
import { post } from '../../src/testing/adapter/subject.ts'
import { nodeSubject } from '../support/adapters/node.ts'
import { collectingLogger } from '../support/logger.ts'
import { servers } from '../support/servers.ts'
import { storeWith } from '../support/stores.ts'
import { legibleStores } from './stores.ts'

const secrets = {
  authorization: 'Bearer secret-authorization',
  cookie: 'session=secret-cookie',
  'x-api-key': 'secret-api-key',
  body: 'secret-request-body',
}
const request = {
  key: 'raw-key-of-the-client',
  user: 'raw-scope-of-the-client',
  value: { pin: secrets.body },
  headers: [
    ['Authorization', secrets.authorization],
    ['Cookie', secrets.cookie],
    ['X-Api-Key', secrets['x-api-key']],
  ],
} as const
const scope: AdapterOptions['scope'] = (view) => view.header('x-user')

for (const [name, open] of Object.entries(legibleStores)) {
  const place = await servers(open)
  if (place === undefined) continue
  const { store, everything, close } = place
  afterAll(close)

  describe(name, () => {
    test('keeps the answer, and nothing of the request but its key and scope', async () => {
      await withServer({ store, scope }, async (server) => {
        expect((await post(server, request)).status).toBe(201)
        const kept = await everything()
        // What is looked for would be found.
        expect(kept).toContain('the answer of the handler')
        expect(kept).toContain(request.key)
        expect(kept).toContain(request.user)
        for (const secret of [...Object.values(secrets), 'secret-set-cookie', 'secret-challenge']) {
          expect(kept).not.toContain(secret)
        }
      })
    })

    test('keeps neither key nor scope under storeKeys: false', async () => {
      const [key, user] = ['hidden-key-of-the-client', 'hidden-scope-of-the-client']
      await withServer({ store, scope, storeKeys: false }, async (server) => {
        expect((await post(server, { ...request, key, user })).status).toBe(201)
        expect((await post(server, { ...request, key, user })).status).toBe(201)
        const kept = await everything()
        expect(kept).not.toContain(key)
        expect(kept).not.toContain(user)
      })
    })
  })
}

describe('events, warnings and problems', () => {
  /** Each goes wrong in another way. */
  async function everythingSaid(
    options: Partial<AdapterOptions>,
  ): Promise<{ told: string; answered: string }> {
    const events: IdempotencyEvent[] = []
    const { logger, warnings } = collectingLogger()
    let isDown = false
    const fail = () => {
      if (isDown) throw new Error('the store is down')
    }
    const store = storeWith(memoryStore(), { claim: fail })
    const on = (event: IdempotencyEvent) => {
      events.push(event)
      throw new Error('the listener fails')
    }
    const keep = () => {
      throw new Error('so does the option')
    }
    const answers: string[] = []
    await withServer({ store, scope, on, logger, keep, ...options }, async (server) => {
      const ask = async (changes: Partial<Parameters<typeof post>[1]> = {}) => {
        const { statusLine, headers, body } = await post(server, { ...request, ...changes })
        answers.push(JSON.stringify([statusLine, headers]), body.toString())
      }
      await ask()
      await ask()
      await ask({ value: { pin: `${secrets.body} changed` } })
      await ask({ key: `"${request.key}` })
      await ask({ key: request.key.repeat(30) })
      await ask({ key: `${request.key} with spaces` })
      await ask({ key: `${request.key}-throws`, headers: [...request.headers, ['X-Throws', '1']] })
      isDown = true
      await ask({ key: `${request.key}-down` })
    })
    expect(events.length).toBeGreaterThan(5)
    expect(warnings.length).toBeGreaterThan(3)
    return {
      told: inspect([events, warnings], { depth: null, maxStringLength: null }),
      answered: answers.join('\n'),
    }
  }

  test('tell no body, no header and no secret', async () => {
    const { told, answered } = await everythingSaid({})
    expect(told).toContain(request.key)
    for (const secret of Object.values(secrets)) {
      expect(told).not.toContain(secret)
      expect(answered).not.toContain(secret)
    }
    expect(told).not.toContain('the answer of the handler')
    // Not even what the client itself sent.
    expect(answered).not.toContain(request.key)
    expect(answered).not.toContain(request.user)
  })

  test('tell neither key nor scope under storeKeys: false', async () => {
    const { told } = await everythingSaid({ storeKeys: false })
    expect(told).not.toContain(request.key)
    expect(told).not.toContain(request.user)
  })
})

async function withServer(
  options: AdapterOptions,
  use: (server: AdapterServer) => Promise<void>,
): Promise<void> {
  const server = await nodeSubject.start(options, ({ header }) => {
    if (header('x-throws') !== undefined) throw new Error('the handler fails')
    return {
      kind: 'json',
      status: 201,
      headers: [
        ['Set-Cookie', 'session=secret-set-cookie'],
        ['WWW-Authenticate', 'Bearer secret-challenge'],
      ],
      value: { note: 'the answer of the handler' },
    }
  })
  try {
    await use(server)
  } finally {
    await server.close()
  }
}
