// What is special about Durable Objects, in workerd: subrequests, errors that may be sent again, size, alarms, a kill -9.
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import { durableObjectStore, type RecordsNamespace } from '../../src/stores/durable-objects.ts'
import { keyOf } from '../../src/stores/encoding/key.ts'
import { anyVerbs, assertFollowsRules, verbsAfterForgetting } from '../support/store-model.ts'
import { askObject, namespaceOf, startWorkerd, type Workerd } from './durable-objects/workerd.ts'
import { answer, requestFor } from './requests.ts'
import { mustClaim, record, replayed } from './verbs.ts'

let workerd: Workerd
beforeAll(async () => {
  workerd = await startWorkerd()
}, 240_000)
afterAll(() => workerd.stop())

describe('the rules', () => {
  const modelled = () => ({
    store: durableObjectStore(namespaceOf(workerd, randomUUID()), { objects: 3 }),
    keepsTokens: true,
  })
  test('random verbs do what the rules say', () => assertFollowsRules(modelled(), anyVerbs(), 60))
  test('random verbs on a store that forgot later claims do what the rules say', () =>
    assertFollowsRules(modelled(), verbsAfterForgetting(), 60))
})

test('two subrequests for a first request, one for a refusal or a replay, one for each object to renew', async () => {
  const { namespace, sent } = counting(namespaceOf(workerd, randomUUID()))
  const store = durableObjectStore(namespace, { objects: 4 })
  const guard = idempotencyOver({ store }, () => store)
  const key = randomUUID()
  const run = (payload = 'same') => guard.run({ key, scope: false, payload }, async () => ({ charged: key }))
  expect(await sent(() => run())).toBe(2)
  expect(await sent(() => run())).toBe(1)
  expect(await sent(() => expect(run('other')).rejects.toMatchObject({ code: 'key-reused' }))).toBe(1)
  const leases = await Promise.all(Array.from({ length: 50 }, () => mustClaim(store, randomUUID())))
  expect(await sent(() => store.renew(leases))).toBe(4)
  await guard.close()
})

test('what the runtime says may be sent again is, and counts once', async () => {
  const lost = failing(namespaceOf(workerd, randomUUID()), { retryable: true })
  const store = durableObjectStore(lost.namespace)
  const request = requestFor(randomUUID())
  expect(await lost.during(2, () => store.claim(request))).toMatchObject({ kind: 'claimed', attempt: 1 })
  const lease = await mustClaim(store, 'k')
  expect(await lost.during(1, () => store.complete(lease, answer('x')))).toBe('written')
  expect(await replayed(store, 'k')).toBe('x')
  await expect(lost.during(3, () => store.claim(request))).rejects.toMatchObject({ code: 'store-failed' })
})

test('an object that has too much to do gets no more, and the error names the cure', async () => {
  const busy = failing(namespaceOf(workerd, randomUUID()), { retryable: true, overloaded: true })
  const store = durableObjectStore(busy.namespace)
  await expect(busy.during(1, () => store.claim(requestFor('k')))).rejects.toMatchObject({
    code: 'store-failed',
    message: expect.stringMatching(/raise "objects"/),
  })
})

test('where one object fails, the leases in the others are renewed, and its own have no result', async () => {
  const place = randomUUID()
  const [whole, broken] = [namespaceOf(workerd, place), failing(namespaceOf(workerd, place), {})]
  const store = durableObjectStore(whole, { objects: 2 })
  const leases = await Promise.all(Array.from({ length: 20 }, () => mustClaim(store, randomUUID())))
  const partly = durableObjectStore(broken.namespace, { objects: 2 })
  const results = await broken.during(1, () => partly.renew(leases))
  const renewed = results.filter((result) => result === 'renewed')
  expect(renewed.length).toBeGreaterThan(0)
  expect(renewed.length).toBeLessThan(20)
  await expect(broken.during(2, () => partly.renew(leases))).rejects.toMatchObject({ code: 'store-failed' })
})

test('a class without SQLite: the error names the cure', async () => {
  const old = await startWorkerd({ useSQLite: false })
  try {
    const store = durableObjectStore(namespaceOf(old, randomUUID()))
    await expect(store.claim(requestFor('k'))).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/new_sqlite_classes|docs\/durable-objects\.md/),
    })
  } finally {
    await old.stop()
  }
})

test('a step that finds no room is not kept, and a mark that finds none rejects', async () => {
  const store = durableObjectStore(namespaceOf(workerd, randomUUID()))
  const lease = await mustClaim(store, 'k')
  const finished = (name: string, length: number) =>
    ({ state: 'finished', name, result: { kind: 'json', json: JSON.stringify('x'.repeat(length)) } }) as const
  expect(await store.recordStep(lease, finished('large', 2_500_000))).toBe('written')
  expect(await store.recordStep(lease, finished('fits', 1_500_000))).toBe('written')
  const mark = { state: 'begun', name: 'x'.repeat(600_000), safe: false } as const
  await expect(store.recordStep(lease, mark)).rejects.toMatchObject({
    code: 'store-full',
    message: expect.stringMatching(/2 MB/),
  })
  expect(await store.complete(lease, answer(Buffer.alloc(2_500_000)))).toBe('written')
  expect(await replayed(store, 'k')).toBe('(tombstone store-refused)')
})

test('the alarm is set by the first verb, deletes what ended an hour ago and nothing else', async () => {
  const place = randomUUID()
  const store = durableObjectStore(namespaceOf(workerd, place), { objects: 1 })
  const ask = async (path: string): Promise<unknown> =>
    (await askObject(workerd.url, `${place} hapax 1 of 1`, path)).json()
  const sql = (query: string, ...values: string[]) => {
    const asked = new URLSearchParams({ query })
    for (const value of values) asked.append('value', value)
    return ask(`sql?${asked.toString()}`)
  }
  await Promise.all(['long ago', 'just now', 'good'].map((id) => record(store, id, id)))
  const end = 'UPDATE hapax_record SET expires_at_ms = ? WHERE key = ?'
  const nowMs = Date.now()
  await sql(end, String(nowMs - 3_700_000), keyOf('long ago'))
  await sql(end, String(nowMs - 3_000_000), keyOf('just now'))

  const nextMs = await ask('alarm')
  expect(await sql('SELECT id FROM hapax_record ORDER BY id')).toEqual([{ id: 'good' }, { id: 'just now' }])
  // An hour after the next one ended: in ten minutes.
  expect(Number(nextMs) - nowMs).toBeGreaterThan(590_000)
  expect(Number(nextMs) - nowMs).toBeLessThan(620_000)
  expect(await replayed(store, 'good')).toBe('good')
})

test('records outlive a runtime that is killed', async () => {
  const kept = mkdtempSync(join(tmpdir(), 'hapax-durable-objects-'))
  const place = randomUUID()
  const before = childrenOf(process.pid)
  const first = await startWorkerd({ kept })
  const runtimes = childrenOf(process.pid).filter((pid) => !before.includes(pid))
  try {
    const store = durableObjectStore(namespaceOf(first, place))
    await record(store, 'done', 'the answer')
    const running = await mustClaim(store, 'running', { leaseMs: 400 })
    for (const pid of runtimes) process.kill(pid, 'SIGKILL')
    await expect(store.claim(requestFor('other'))).rejects.toMatchObject({ code: 'store-failed' })

    const next = await startWorkerd({ kept })
    const again = durableObjectStore(namespaceOf(next, place))
    try {
      expect(await replayed(again, 'done')).toBe('the answer')
      expect((await again.claim(requestFor('other'))).kind).toBe('claimed')
      await expect.poll(() => replayed(again, 'running')).toBe('(lapsed)')
      expect(await again.complete(running, answer('late, and true'))).toBe('written')
      expect(await replayed(again, 'running')).toBe('late, and true')
    } finally {
      await next.stop()
    }
  } finally {
    await first.stop().catch(() => {})
    rmSync(kept, { recursive: true, force: true })
  }
})

test('a guarded Worker: of many requests at once one runs, and the others wait for its answer', async () => {
  const order = async (key: string, item = 'book') => {
    const reply = await fetch(`${workerd.url}/orders`, {
      method: 'POST',
      headers: { 'Idempotency-Key': `"${key}"`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ item }),
    })
    return {
      status: reply.status,
      body: await reply.text(),
      replayed: reply.headers.get('idempotent-replayed'),
    }
  }
  const watchers = async () => {
    const names = Array.from({ length: 16 }, (_, index) => `hapax ${index + 1} of 16`)
    const counts = names.map(async (name) => (await askObject(workerd.url, name, 'watchers')).json())
    return (await Promise.all(counts)).reduce((sum: number, count) => sum + Number(count), 0)
  }
  const startedMs = performance.now()
  const many = await Promise.all(Array.from({ length: 20 }, () => order('k1')))
  // The handler takes 300 ms, and a poll would come after a second: they were told.
  expect(performance.now() - startedMs).toBeLessThan(950)
  expect(new Set(many.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
  expect(many.filter(({ replayed: is }) => is === 'true')).toHaveLength(19)
  await expect.poll(watchers).toBe(0)
  expect(await order('k1')).toMatchObject({ status: 201, body: many[0]?.body, replayed: 'true' })
  expect(await order('k1', 'another book')).toMatchObject({ status: 422 })
})

function counting(inner: RecordsNamespace) {
  let count = 0
  const namespace: RecordsNamespace = {
    idFromName: (name) => inner.idFromName(name),
    get: (id) => ({
      fetch(url, init) {
        count += 1
        return inner.get(id).fetch(url, init)
      },
    }),
  }
  const sent = async (work: () => Promise<unknown>): Promise<number> => {
    count = 0
    await work()
    return count
  }
  return { namespace, sent }
}

/** Carries out the first calls, and loses their replies with an error as the runtime throws it. */
function failing(inner: RecordsNamespace, marks: { retryable?: boolean; overloaded?: boolean }) {
  let left = 0
  const namespace: RecordsNamespace = {
    idFromName: (name) => inner.idFromName(name),
    get: (id) => ({
      async fetch(url, init) {
        const reply = await inner.get(id).fetch(url, init)
        if (left === 0) return reply
        left -= 1
        throw Object.assign(new Error('Network connection lost.'), marks)
      },
    }),
  }
  const during = async <T>(calls: number, work: () => Promise<T>): Promise<T> => {
    left = calls
    try {
      return await work()
    } finally {
      expect(left).toBe(0)
    }
  }
  return { namespace, during }
}

function childrenOf(pid: number): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(pid), 'workerd'])
      .toString()
      .trim()
      .split('\n')
      .map(Number)
  } catch {
    // There is none.
    return []
  }
}
