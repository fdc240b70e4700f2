import { describe, expect, test } from 'vitest'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import { type StoreSubject, testStore } from '../../../src/testing/index.ts'
import { mustClaim, record, replayed } from '../verbs.ts'
import {
  createPlace,
  destroyPlace,
  type Open,
  openLibsql,
  openNode,
  type Place,
  sqliteSubject,
} from './places.ts'

testStore({ describe, test }, subjectOf('a handle of node:sqlite', openNode))
testStore({ describe, test }, subjectOf('a handle of libsql', openLibsql))

function subjectOf(name: string, open: Open): StoreSubject<Place> {
  return sqliteSubject(name, open, (place) => {
    const handle = open(place.file)
    place.handles.push(handle)
    return sqliteStore(handle)
  })
}

describe.each([
  ['node:sqlite', openNode],
  ['libsql', openLibsql],
])('a handle of %s', (_name, open) => {
  test('is made durable and shareable, and stays open when the store is closed', async () => {
    const place = createPlace()
    const handle = open(place.file)
    place.handles.push(handle)
    handle.exec('PRAGMA synchronous = OFF')
    const store = sqliteStore(handle)
    expect(store.durable).toBe(true)
    expect(handle.prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    expect(handle.prepare('PRAGMA synchronous').get()).toMatchObject({ synchronous: 2 })
    await record(store, 'k', 'answer')
    await store.close()
    expect(handle.prepare('SELECT count(*) AS records FROM hapax_record').get()).toMatchObject({ records: 1 })
    destroyPlace(place)
  })

  test('in the middle of a transaction of its owner, writes are refused and that transaction goes on', async () => {
    const place = createPlace()
    const handle = open(place.file)
    place.handles.push(handle)
    const store = sqliteStore(handle)
    handle.exec('CREATE TABLE mine (value TEXT)')
    handle.exec("BEGIN; INSERT INTO mine VALUES ('kept')")
    await expect(mustClaim(store, 'k')).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('a connection of its own'),
    })
    handle.exec('COMMIT')
    expect(handle.prepare('SELECT value FROM mine').all()).toMatchObject([{ value: 'kept' }])
    await record(store, 'k', 'answer')
    expect(await replayed(store, 'k')).toBe('answer')
    await store.close()
    destroyPlace(place)
  })

  test('that its owner closed gives a clear error', async () => {
    const place = createPlace()
    const handle = open(place.file)
    const store = sqliteStore(handle)
    handle.close()
    await expect(mustClaim(store, 'k')).rejects.toMatchObject({ code: 'store-failed' })
    await store.close()
    destroyPlace(place)
  })
})

test('a database in memory works, and is not called durable', async () => {
  const store = sqliteStore(':memory:')
  expect(store.durable).toBe(false)
  await record(store, 'k', 'answer')
  expect(await replayed(store, 'k')).toBe('answer')
  await store.close()
})

test('a handle in memory works, and is not called durable', async () => {
  const handle = openNode(':memory:')
  const store = sqliteStore(handle)
  expect(store.durable).toBe(false)
  await record(store, 'k', 'answer')
  expect(await replayed(store, 'k')).toBe('answer')
  await store.close()
  handle.close()
})
