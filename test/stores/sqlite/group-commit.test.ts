import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../../../src/core/store.ts'
import { type SqliteDatabase, sqliteStore } from '../../../src/stores/sqlite.ts'
import { answer, mustClaim, record, replayed, requestFor } from '../verbs.ts'
import { createPlace, destroyPlace, type Place } from './places.ts'

let place: Place
let database: DatabaseSync
let statements: string[]
let store: Store

beforeEach(() => {
  place = createPlace()
  database = new DatabaseSync(place.file)
  place.handles.push(database)
  statements = []
  store = sqliteStore(listening(database), { busyTimeout: 400 })
  statements.length = 0
})

afterEach(async () => {
  await store.close()
  destroyPlace(place)
})

test('claims that arrive together share one transaction', async () => {
  await Promise.all(Array.from({ length: 64 }, (_, index) => mustClaim(store, `k${index}`)))
  expect(statements).toEqual(['BEGIN IMMEDIATE', 'COMMIT'])
})

test('verbs of all kinds that arrive together share one transaction', async () => {
  const [a, b, c] = [await mustClaim(store, 'a'), await mustClaim(store, 'b'), await mustClaim(store, 'c')]
  statements.length = 0
  const results = await Promise.all([
    store.complete(a, answer('x')),
    store.release(b, { clean: true }),
    store.renew([c]),
    store.abandon('d', 'nobody'),
    mustClaim(store, 'e'),
  ])
  expect(results.slice(0, 3)).toEqual(['written', 'written', ['renewed']])
  expect(statements).toEqual(['BEGIN IMMEDIATE', 'COMMIT'])
})

test('a large batch is cut, so that no transaction blocks the event loop for long', async () => {
  await Promise.all(Array.from({ length: 600 }, (_, index) => mustClaim(store, `k${index}`)))
  expect(statements.filter((sql) => sql === 'COMMIT')).toHaveLength(3)
  const leases = await Promise.all(Array.from({ length: 10 }, (_, index) => mustClaim(store, `big${index}`)))
  statements.length = 0
  const body = new Uint8Array(3 * 1024 * 1024)
  await Promise.all(leases.map((lease) => store.complete(lease, answer(body))))
  expect(statements.filter((sql) => sql === 'COMMIT')).toHaveLength(5)
})

test('a replay, a duplicate of a running request and another request open no transaction', async () => {
  await record(store, 'done', 'answer')
  await mustClaim(store, 'running')
  statements.length = 0
  expect(await replayed(store, 'done')).toBe('answer')
  expect(await store.claim(requestFor('running'))).toMatchObject({ kind: 'running' })
  expect(await store.claim(requestFor('done', { fingerprint: 'b1:other' }))).toEqual({ kind: 'mismatch' })
  expect(statements).toEqual([])
})

test('an operation that fails does not fail the others of its transaction', async () => {
  database.exec(`
    CREATE TRIGGER refuse BEFORE INSERT ON hapax_record WHEN new.id = 'bad'
    BEGIN SELECT raise(ABORT, 'refused by a trigger'); END`)
  const results = await Promise.allSettled(['a', 'b', 'bad', 'c'].map((id) => store.claim(requestFor(id))))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  expect(results[2]).toMatchObject({ reason: { code: 'store-failed' } })
  expect(await store.claim(requestFor('a'))).toMatchObject({ kind: 'running' })
  expect(await store.claim(requestFor('c'))).toMatchObject({ kind: 'running' })
  database.exec('DROP TRIGGER refuse')
  expect(await store.claim(requestFor('bad'))).toMatchObject({ kind: 'claimed' })
})

test('a lock that another connection holds for a while is waited for, without blocking the event loop', async () => {
  const release = lock()
  const claim = mustClaim(store, 'k')
  let turns = 0
  const ticking = setInterval(() => {
    turns += 1
  }, 5)
  await sleep(200)
  clearInterval(ticking)
  // Forty turns at best; a store that waited inside SQLite would leave one or two.
  expect(turns).toBeGreaterThan(8)
  release()
  await claim
})

test('operations that gather behind a lock share one transaction once it is free', async () => {
  const release = lock()
  const claims = [mustClaim(store, 'a')]
  await sleep(30)
  claims.push(mustClaim(store, 'b'), mustClaim(store, 'c'))
  await sleep(30)
  release()
  statements.length = 0
  await Promise.all(claims)
  expect(statements.filter((sql) => sql === 'COMMIT')).toHaveLength(1)
})

test('a lock that is never freed is an error after the bound; replays go on, and so does all else later', async () => {
  await record(store, 'done', 'answer')
  const release = lock()
  const startedMs = performance.now()
  await expect(store.claim(requestFor('k'))).rejects.toMatchObject({
    code: 'store-failed',
    message: expect.stringMatching(/keys\.db".*stayed locked/),
    cause: expect.any(Error),
  })
  expect(performance.now() - startedMs).toBeGreaterThan(390)
  expect(await replayed(store, 'done')).toBe('answer')
  release()
  await record(store, 'k', 'later')
  expect(await replayed(store, 'k')).toBe('later')
})

test('who asked first while the lock was taken comes first when it is free', async () => {
  const release = lock()
  const first = store.claim(requestFor('k'))
  // More than one transaction takes, so that the second claim is in a later one.
  const between = Array.from({ length: 300 }, (_, index) => mustClaim(store, `k${index}`))
  const second = store.claim(requestFor('k'))
  await sleep(60)
  release()
  await Promise.all(between)
  expect(await first).toMatchObject({ kind: 'claimed' })
  expect(await second).toMatchObject({ kind: 'running' })
})

test('closing lets what was asked before end first', async () => {
  const own = sqliteStore(place.file)
  const lease = await mustClaim(own, 'a')
  const asked = [own.complete(lease, answer('answer')), mustClaim(own, 'b')]
  await own.close()
  await Promise.all(asked)
  expect(await replayed(store, 'a')).toBe('answer')
  expect(await replayed(store, 'b')).toBe('(running)')
})

function lock(): () => void {
  const other = new DatabaseSync(place.file)
  other.exec('BEGIN IMMEDIATE')
  return () => {
    other.exec('ROLLBACK')
    other.close()
  }
}

/** The real database, with a note of each statement that is executed rather than prepared. */
function listening(real: DatabaseSync): SqliteDatabase {
  return {
    prepare: (sql) => real.prepare(sql),
    exec(sql) {
      statements.push(sql)
      real.exec(sql)
    },
  }
}
