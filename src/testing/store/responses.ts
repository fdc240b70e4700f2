import assert from 'node:assert/strict'
import type { StoredResponse } from '../../core/record.ts'
import type { Store } from '../../core/store.ts'
import {
  answered,
  assertReplay,
  assertSameResponse,
  failed,
  kept,
  mustClaim,
  mustComplete,
  requestFor,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

const responses: ReadonlyArray<readonly [name: string, response: StoredResponse]> = [
  ['all byte values', kept('', { body: Uint8Array.from({ length: 256 }, (_, index) => index) })],
  [
    'bytes that are not UTF-8',
    kept('', { body: Uint8Array.of(0xff, 0xfe, 0x00, 0xc0, 0x80, 0xed, 0xa0, 0x80) }),
  ],
  ['an empty body', kept('', { status: 200 })],
  ['no body and no headers', kept('', { status: 204, headers: [] })],
  [
    'headers with their order, their case and repetitions',
    kept('x', {
      headers: [
        ['X-B', '1'],
        ['link', '</a>; rel="next"'],
        ['x-a', '2'],
        ['Link', '</b>; rel="prev"'],
        ['X-Empty', ''],
        ['x-b', '3'],
      ],
    }),
  ],
  [
    'header values of all Latin-1 characters',
    kept('x', { headers: [['x-latin', String.fromCharCode(9, ...range(0x20, 0x7e), ...range(0x80, 0xff))]] }),
  ],
  ['a redirect', kept('', { status: 303, headers: [['location', '/orders/1?a=b&c=%20']] })],
  [
    'trailers',
    kept('x', {
      trailers: [
        ['x-checksum', 'abc'],
        ['x-checksum', 'def'],
      ],
    }),
  ],
  ['an empty list of trailers', kept('x', { trailers: [] })],
  ['a tombstone', { kind: 'tombstone', status: 200, reason: 'too-large' }],
  [
    'a tombstone with a location',
    { kind: 'tombstone', status: 201, location: 'https://example.com/ä?"\'', reason: 'cut-short' },
  ],
]

export const responseCases: readonly StoreCase[] = [
  ...responses.map(
    ([name, response]): StoreCase => ({
      name: `keeps ${name}`,
      async run({ store }) {
        const lease = await mustClaim(store, 'good')
        await mustComplete(store, lease, answered(response))
        await assertReplay(store, 'good', response)
        const failing = await mustClaim(store, 'failed')
        await mustComplete(store, failing, failed(response))
        await assertReplay(store, 'failed', response, { failed: true })
      },
    }),
  ),
  {
    name: 'keeps a body of 10 MiB, or as long as it can; a longer one leaves a tombstone',
    async run({ store, longestBodyBytes }) {
      const body = new Uint8Array(Math.min(10 * 1024 * 1024, longestBodyBytes))
      for (let index = 0; index < body.length; index += 1) body[index] = (index * 31 + (index >> 8)) & 0xff
      const lease = await mustClaim(store, 'k')
      await mustComplete(store, lease, answered(kept('', { body })))
      await assertReplay(store, 'k', kept('', { body }))
      if (longestBodyBytes > 10 * 1024 * 1024) return
      const longer = new Uint8Array(longestBodyBytes + 1024 * 1024)
      await mustComplete(store, await mustClaim(store, 'longer'), answered(kept('', { body: longer })))
      await assertReplay(store, 'longer', { kind: 'tombstone', status: 201, reason: 'store-refused' })
    },
  },
  {
    name: 'keeps what was given, whatever becomes of the buffer that it came in',
    async run({ store }) {
      const pool = Buffer.from('<<< the body >>>')
      const lease = await mustClaim(store, 'k')
      await mustComplete(store, lease, answered(kept('', { body: pool.subarray(4, 12) })))
      pool.fill('!')
      const response = await replayOf(store, 'k')
      assertSameResponse(response, kept('the body'))
    },
  },
]

async function replayOf(store: Store, id: string): Promise<StoredResponse> {
  const result = await store.claim(requestFor(id))
  assert(result.kind === 'completed')
  return result.response
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
