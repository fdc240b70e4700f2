import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import { ManualClock } from '../manual-clock.ts'
import { mustClaim, policy, record, replayed, requestFor } from '../verbs.ts'
import { createPlace, destroyPlace, type Place } from './places.ts'

const dayMs = 86_400_000

let place: Place

beforeEach(() => {
  place = createPlace()
})

afterEach(() => destroyPlace(place))

test('expired records are deleted, all of them in the end, and no others', async () => {
  const store = sqliteStore(place.file, { clock: place.clock, reapEvery: 10 })
  const brief = { policy: { ...policy, retainUnknownMs: 1_000 }, leaseMs: 1_000 }
  await Promise.all(Array.from({ length: 100 }, (_, index) => mustClaim(store, `brief${index}`, brief)))
  await record(store, 'long', 'answer')
  expect(countRows()).toBe(101)
  place.clock.advance(1_999)
  await sleep(60)
  expect(countRows()).toBe(101)
  place.clock.advance(1)
  await until(() => countRows() === 1)
  expect(await replayed(store, 'long')).toBe('answer')
  await store.close()
})

test('a record whose token is damaged can be forgotten, and is deleted when it has expired', async () => {
  const store = sqliteStore(place.file, { clock: place.clock, reapEvery: 10 })
  const brief = { policy: { ...policy, retainUnknownMs: 1_000 }, leaseMs: 1_000 }
  await mustClaim(store, 'forgotten', brief)
  await mustClaim(store, 'expired', brief)
  const other = new DatabaseSync(place.file)
  place.handles.push(other)
  other.exec('UPDATE hapax_record SET token = -1')
  expect(await store.inspect?.get('forgotten')).toMatchObject({ state: 'unreadable' })
  expect(await store.inspect?.forget('forgotten')).toBe(true)
  expect(countRows()).toBe(1)
  place.clock.advance(2_000)
  await until(() => countRows() === 0)
  await store.close()
})

test('a store with nothing expired takes no write lock to find that out', async () => {
  const store = sqliteStore(place.file, { clock: place.clock, reapEvery: 5 })
  await record(store, 'k', 'answer')
  const other = new DatabaseSync(place.file)
  place.handles.push(other)
  const versionBefore = other.prepare('PRAGMA data_version').get()
  await sleep(50)
  expect(other.prepare('PRAGMA data_version').get()).toEqual(versionBefore)
  await store.close()
})

test('a wall clock that goes back ends no lease and keeps no record too long', async () => {
  const { clock } = place
  const store = sqliteStore(place.file, { clock })
  await mustClaim(store, 'k', { leaseMs: 10_000 })
  clock.jump(-dayMs)
  expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'running', leaseLeftMs: 10_000 })
  clock.advance(9_999)
  expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'running', leaseLeftMs: 1 })
  clock.advance(1)
  expect(await store.claim(requestFor('k'))).toEqual({ kind: 'lapsed' })
  await store.close()
})

test('the time that was reached survives the process, whatever the clock says when it comes back', async () => {
  const store = sqliteStore(place.file, { clock: place.clock })
  const lease = await mustClaim(store, 'k', { leaseMs: 10_000 })
  await store.close()

  const later = sqliteStore(place.file, { clock: new ManualClock(place.clock.now() - dayMs) })
  expect(await later.claim(requestFor('k'))).toMatchObject({ kind: 'running', leaseLeftMs: 10_000 })
  await later.inspect?.forget('k')
  expect((await mustClaim(later, 'k')).token).toBeGreaterThan(lease.token)
  await later.close()
})

test('two processes whose clocks differ agree on the later time', async () => {
  const ahead = sqliteStore(place.file, { clock: new ManualClock(place.clock.now() + 60_000) })
  const behind = sqliteStore(place.file, { clock: place.clock })
  await mustClaim(ahead, 'k', { leaseMs: 10_000 })
  expect(await behind.claim(requestFor('k'))).toMatchObject({ kind: 'running', leaseLeftMs: 10_000 })
  await mustClaim(behind, 'j', { leaseMs: 10_000 })
  expect(await ahead.claim(requestFor('j'))).toMatchObject({ kind: 'running', leaseLeftMs: 10_000 })
  await ahead.close()
  await behind.close()
})

test('tokens rise over a record that was reaped', async () => {
  const { clock } = place
  const store = sqliteStore(place.file, { clock, reapEvery: 5 })
  const brief = { policy: { ...policy, retainMs: 1, retainUnknownMs: 1 }, leaseMs: 1 }
  let last = await mustClaim(store, 'k', brief)
  // Each release and claim adds one to the token, while the clock stands still.
  for (let round = 0; round < 3_000; round += 1) {
    await store.release(last, { clean: true })
    last = await mustClaim(store, 'k', brief)
  }
  clock.advance(2)
  await until(() => countRows() === 0)
  expect((await mustClaim(store, 'k')).token).toBeGreaterThan(last.token)
  await store.close()
})

function countRows(): number {
  const database = new DatabaseSync(place.file)
  const { rows } = Object(database.prepare('SELECT count(*) AS rows FROM hapax_record').get())
  database.close()
  return rows
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (condition()) return
    await sleep(25)
  }
  throw new Error('waited for five seconds in vain')
}
