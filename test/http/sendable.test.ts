// What stands in a record may be damaged, or come from an application that copied it from elsewhere: its replay is one
// well-formed answer, or a refusal.
import { describe, expect, test } from 'vitest'
import { idempotency } from '../../src/adapters/fetch.ts'
import type { KeptResponse } from '../../src/core/record.ts'
import { sendable } from '../../src/http/sendable.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { nodeSubject } from '../support/adapters/node.ts'
import { headerOf, linesOf } from '../support/raw-http.ts'
import { post } from '../../src/testing/adapter/subject.ts'

const answer: KeptResponse = { kind: 'kept', status: 201, headers: [['X-A', '1']], body: Buffer.from('made') }

describe('an answer can not be sent with', () => {
  test.each<[string, Partial<KeptResponse>]>([
    ['a status of no final answer', { status: 100 }],
    ['a status that is no number', { status: Number.NaN }],
    ['a line break in a value', { headers: [['X-A', '1\r\nSet-Cookie: stolen=1']] }],
    ['a line feed in a value', { headers: [['X-A', '1\nSet-Cookie: stolen=1']] }],
    ['a line break in a name', { headers: [['X-A: 1\r\nX-B', '2']] }],
    ['a NUL', { headers: [['X-A', '\0']] }],
    ['a character beyond a byte', { headers: [['X-A', '\u{1f4b3}']] }],
    ['no name', { headers: [['', '1']] }],
    ['a space in a name', { headers: [['X A', '1']] }],
    ['a line break in a trailer', { trailers: [['X-A', '\r\n']] }],
  ])('%s', (_, damage) => {
    expect(sendable({ ...answer, ...damage })).toBeUndefined()
  })
})

test('fields that frame a message are left out', () => {
  const framed = {
    ...answer,
    headers: [
      ['Transfer-Encoding', 'chunked'],
      ['x-a', '1'],
      ['CONTENT-LENGTH', '9'],
    ],
  } as const
  expect(sendable({ ...framed, trailers: [['Content-Length', '9']] })).toEqual({
    ...answer,
    headers: [['x-a', '1']],
  })
  expect(sendable(answer)).toBe(answer)
})

test('what a recovery function copied from another answer does not frame the replay', async () => {
  const headers = {
    'Transfer-Encoding': 'chunked',
    'Content-Length': '999',
    Date: 'yesterday',
    'X-Charge': 'ch_1',
  }
  const store = memoryStore()
  const recovery = () => ({ status: 201, headers, body: { id: 17 } }) as const
  const server = await nodeSubject.start({ store, scope: false, recovery }, () => {
    throw new Error('the charge may have been made')
  })
  try {
    expect((await post(server, { key: 'k' })).status).toBe(500)
    for (let time = 0; time < 2; time += 1) {
      const replay = await post(server, { key: 'k' })
      expect(replay).toMatchObject({ status: 201, framing: 'length' })
      expect(replay.body.toString()).toBe('{"id":17}')
      expect(headerOf(replay, 'X-Charge')).toBe('ch_1')
      expect(linesOf(replay, 'Transfer-Encoding')).toEqual([])
      expect(linesOf(replay, 'Date')).not.toContain('yesterday')
    }
  } finally {
    await server.close()
  }
})

test('what a recovery function returned with a line break is not recorded', async () => {
  const store = memoryStore()
  const recovery = () => ({ status: 201, headers: { 'X-A': '1\r\nSet-Cookie: stolen=1' } }) as const
  const server = await nodeSubject.start({ store, scope: false, recovery }, () => {
    throw new Error('the charge may have been made')
  })
  try {
    await post(server, { key: 'k' })
    const refused = await post(server, { key: 'k' })
    expect(refused.status).toBe(409)
    expect(refused.body.toString()).toContain('outcome-unknown')
  } finally {
    await server.close()
  }
})

test('fetch replays what can have no body without one', async () => {
  const store = memoryStore()
  const recovery = () => ({ status: 204, body: 'too much' }) as const
  const once = idempotency({ store, scope: false, recovery })
  const handler = once(async () => {
    throw new Error('nobody knows')
  })
  const request = () => new Request('http://x/', { method: 'POST', headers: { 'Idempotency-Key': 'k' } })
  await expect(handler(request())).rejects.toThrow('nobody knows')
  for (let time = 0; time < 2; time += 1) {
    const replay = await handler(request())
    expect(replay.status).toBe(204)
    expect(await replay.text()).toBe('')
  }
  await once.close()
})
