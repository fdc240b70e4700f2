import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createIdempotency } from '../../src/index.ts'
import type { IdempotencyRecord, KeptResponse } from '../../src/core/record.ts'
import type { HeldLease } from '../../src/core/store.ts'
import { fingerprintOf } from '../../src/protocol/fingerprint.ts'
import {
  answer,
  beginRun,
  call,
  createRig,
  eventsOf,
  expectProblem,
  expectReplay,
  inspect,
  type Rig,
  type RigOptions,
} from '../support/engine-rig.ts'
import { failure, never } from '../support/run-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const old = { id: '2026-10', key: randomBytes(32) }
const current = { id: '2026-11', key: randomBytes(32) }
const rerun = { recovery: 'rerun' } as const

describe('what is stored', () => {
  test('has no body, no result of a step and no plain digest in clear, and is replayed as it was', async () => {
    const rig = createRig({ encryption: current })
    const fingerprint = fingerprintOf({
      method: 'POST',
      target: '/pins',
      mediaType: 'application/json',
      body: { kind: 'bytes', bytes: Buffer.from('{"pin":"1234"}') },
    })
    const lease = await beginRun(rig, { ...rerun, fingerprint })
    await lease.steps.step('charge', () => ({ card: '4242' }), { input: { pin: '1234' } })
    expect(await everythingOf(rig)).not.toMatch(/4242/)
    await lease.finish(answer('secret'))
    const stored = await everythingOf(rig)
    expect(stored).not.toMatch(/secret/)
    for (const part of fingerprint.split(' ')) expect(stored).not.toContain(part.split(':')[1])
    expectReplay(await rig.engine.begin(call({ fingerprint })), 'secret')
    expectProblem(await rig.engine.begin(call({ fingerprint: 'v1:other' })), 'key-reused')
  })

  test('differs from record to record, and from run to run', async () => {
    const rig = createRig({ encryption: current })
    const bodies = new Set<string>()
    for (const key of ['a', 'b', 'c']) {
      await (await beginRun(rig, { key })).finish(answer('same'))
      bodies.add(Buffer.from((await bodyOf(rig, key)).body).toString('hex'))
    }
    expect(bodies.size).toBe(3)
  })

  test.each(['', 'x'.repeat(100_000)])('holds a body of any length', async (body) => {
    const rig = createRig({ encryption: current })
    await (await beginRun(rig)).finish(answer(body))
    expectReplay(await rig.engine.begin(call()), body)
  })
})

describe('a rotation', () => {
  test('opens what the old key sealed, and compares requests from before it', async () => {
    const rig = createRig({ encryption: old })
    await (await beginRun(rig)).finish(answer('from before'))
    const rotated = createRig({ beside: rig, encryption: [current, old] })
    expectReplay(await rotated.engine.begin(call()), 'from before')
    expectProblem(await rotated.engine.begin(call({ fingerprint: 'v1:other' })), 'key-reused')
    // A process that has not been restarted yet.
    await (await beginRun(rotated, { key: 'new' })).finish(answer('from after'))
    expectProblem(await rig.engine.begin(call({ key: 'new' })), 'outcome-unknown')
    expectReplay(await rotated.engine.begin(call({ key: 'new' })), 'from after')
  })

  test('lets a handler resume after steps of before', async () => {
    const rig = createRig({ encryption: old })
    const first = await beginRun(rig, rerun)
    await first.steps.step('charge', () => 'ch_1', { input: 5 })
    await first.finish(answer('broken', 500))
    const rotated = createRig({ beside: rig, encryption: [current, old] })
    const second = await beginRun(rotated, rerun)
    expect(await second.steps.step('charge', never, { input: 5 })).toBe('ch_1')
  })

  test('of the secret alone keeps comparing', async () => {
    const [a, b] = ['a secret of sixteen', 'another secret, newer']
    const rig = createRig({ secret: a })
    await (await beginRun(rig)).finish(answer('kept'))
    const rotated = createRig({ beside: rig, secret: [b, a] })
    expectReplay(await rotated.engine.begin(call()), 'kept')
    expectProblem(await rotated.engine.begin(call({ fingerprint: 'v1:other' })), 'key-reused')
    const without = createRig({ beside: rig, secret: b })
    expectProblem(await without.engine.begin(call()), 'outcome-unknown')
  })
})

describe('encryption that is switched on', () => {
  test('replays what lies in clear, where requests can still be compared', async () => {
    const rig = createRig({ secret: 'a secret of sixteen' })
    await (await beginRun(rig)).finish(answer('in clear'))
    const sealed = createRig({ beside: rig, secret: 'a secret of sixteen', encryption: current })
    expectReplay(await sealed.engine.begin(call()), 'in clear')
  })
})

describe('what can not be opened is refused, and never run as new', () => {
  test.each<[string, RigOptions]>([
    ['no key at all', {}],
    ['another key', { encryption: old }],
    ['a wrong key under the same name', { encryption: { ...current, key: randomBytes(32) } }],
  ])('%s', async (_, options) => {
    const secret = 'a secret of sixteen'
    const rig = createRig({ encryption: current, secret })
    await (await beginRun(rig)).finish(answer('secret'))
    const other = createRig({ beside: rig, secret, ...options })
    expectProblem(await other.engine.begin(call()), 'outcome-unknown')
    expect(eventsOf(other, 'store-error')).toMatchObject([{ operation: 'claim' }])
    expectReplay(await rig.engine.begin(call()), 'secret')
  })

  test('steps of another key: the key is given back, and not run', async () => {
    const secret = 'a secret of sixteen'
    const rig = createRig({ encryption: current, secret })
    const lease = await beginRun(rig, rerun)
    await lease.steps.step('charge', () => 'ch_1')
    await lease.finish(answer('broken', 500))
    const other = createRig({ beside: rig, secret, encryption: old })
    expectProblem(await other.engine.begin(call(rerun)), 'outcome-unknown')
    await other.time.advance(30_000)
    expect(await (await beginRun(rig, rerun)).steps.step('charge', never)).toBe('ch_1')
  })

  test.each([
    ['cut short', (body: Uint8Array) => body.subarray(0, 20)],
    [
      'with one bit changed',
      (body: Uint8Array) => body.map((byte, at) => (at === body.length - 1 ? byte ^ 1 : byte)),
    ],
    ['with another token', (body: Uint8Array) => body.map((byte, at) => (at === 21 ? byte ^ 1 : byte))],
  ])('%s', async (_, damage) => {
    const rig = createRig({ encryption: current })
    await (await beginRun(rig)).finish(answer('a secret that is long enough'))
    const sealed = await bodyOf(rig)
    await plant(rig, 'key', { ...sealed, body: damage(sealed.body) })
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
  })

  test('moved to another record', async () => {
    const rig = createRig({ encryption: current })
    await (await beginRun(rig)).finish(answer('secret'))
    await plant(rig, 'other', await bodyOf(rig))
    expectProblem(await rig.engine.begin(call({ key: 'other' })), 'outcome-unknown')
  })
})

describe('wrong options fail at construction, and never tell a key', () => {
  const secret = 'do-not-tell'
  test.each([
    [{ encryption: { id: 'k', key: secret } }],
    [{ encryption: { id: '', key: randomBytes(32) } }],
    [{ encryption: { id: 'k\n', key: randomBytes(32) } }],
    [{ encryption: [] }],
    [{ encryption: [current, { ...current }] }],
    [{ encryption: secret }],
    [{ encryption: null }],
    [{ secret }],
    [{ secret: [] }],
    [{ secret: 7 }],
  ])('%#', async (options) => {
    const error = await failure((async () => createIdempotency(options as never))())
    expect(error).toMatchObject({ code: 'invalid-option' })
    expect(error.message).toContain(Object.keys(options)[0])
    expect(error.message).not.toContain(secret)
  })

  test('a key in base64 is as good as its bytes', async () => {
    const rig = createRig({ encryption: current })
    await (await beginRun(rig)).finish(answer('same'))
    const other = createRig({ beside: rig, encryption: { ...current, key: current.key.toString('base64') } })
    expectReplay(await other.engine.begin(call()), 'same')
  })
})

async function everythingOf(rig: Rig): Promise<string> {
  const found = await inspect(rig)
  return JSON.stringify(found, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
}

async function recordOf(rig: Rig, key = 'key'): Promise<IdempotencyRecord> {
  const found = await inspect(rig, key)
  if (found === undefined || found.state === 'unreadable') throw new Error(`There is no record of ${key}.`)
  return found.record
}

async function bodyOf(rig: Rig, key = 'key'): Promise<KeptResponse> {
  const record = await recordOf(rig, key)
  if (record.state !== 'completed' || record.response.kind !== 'kept') throw new Error('Nothing is kept.')
  return record.response
}

/** Somebody who can write to the store puts this answer under a key. */
async function plant(rig: Rig, key: string, response: KeptResponse): Promise<void> {
  await rig.store.inspect?.forget((await recordOf(rig).catch(() => ({ id: '' }))).id)
  const lease = await beginRun(rig, { key })
  const held: HeldLease = lease.held
  await rig.store.complete(held, { kind: 'response', failed: false, response })
}
