import { execFile } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import { record, replayed, requestFor } from '../verbs.ts'
import { createPlace, destroyPlace, type Place } from './places.ts'

const run = promisify(execFile)

let place: Place
let database: DatabaseSync

beforeEach(() => {
  place = createPlace()
  database = new DatabaseSync(place.file)
  place.handles.push(database)
})

afterEach(() => destroyPlace(place))

test('the migrations that are shipped are those of the .sql files', async () => {
  const script = fileURLToPath(new URL('../../../scripts/embed-sql.ts', import.meta.url))
  await run(process.execPath, [script, '--check'])
})

test('a schema of a newer release that shuts this one out is refused at once', () => {
  sqliteStore(place.file)
  database.exec('UPDATE hapax_meta SET schema_version = 9, min_reader = 7')
  expect(() => sqliteStore(place.file)).toThrow(
    expect.objectContaining({
      code: 'schema-too-new',
      message: expect.stringMatching(/needs schema version 7.*Upgrade hapax here/),
    }),
  )
})

test('a newer release that shuts this one out while it runs stops it, and the records stay as they are', async () => {
  const store = sqliteStore(place.file)
  await record(store, 'k', 'answer')
  database.exec('UPDATE hapax_meta SET schema_version = 9, min_reader = 7')
  await expect(store.claim(requestFor('new'))).rejects.toMatchObject({ code: 'schema-too-new' })
  await expect(store.claim(requestFor('k'))).rejects.toMatchObject({ code: 'schema-too-new' })
  expect(database.prepare('SELECT id FROM hapax_record').all()).toMatchObject([{ id: 'k' }])
  await store.close()
})

test('a newer schema that still lets this release in is used, and what it added is left alone', async () => {
  const store = sqliteStore(place.file)
  await record(store, 'before', 'answer')
  database.exec(`
    ALTER TABLE hapax_record ADD COLUMN added TEXT DEFAULT 'theirs';
    UPDATE hapax_meta SET schema_version = 9`)
  await record(store, 'after', 'answer')
  const reopened = sqliteStore(place.file)
  await record(reopened, 'reopened', 'answer')
  for (const id of ['before', 'after', 'reopened']) expect(await replayed(reopened, id)).toBe('answer')
  expect(database.prepare('SELECT DISTINCT added FROM hapax_record').all()).toMatchObject([
    { added: 'theirs' },
  ])
  expect(database.prepare('SELECT schema_version FROM hapax_meta').get()).toMatchObject({ schema_version: 9 })
  await store.close()
  await reopened.close()
})

test('a file with tables of other programs keeps them', async () => {
  database.exec('CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (17)')
  const store = sqliteStore(place.file)
  await record(store, 'k', 'answer')
  await store.close()
  expect(database.prepare('SELECT id FROM orders').all()).toMatchObject([{ id: 17 }])
})

test('records whose numbers are beyond what a number holds are unreadable, and can be listed and forgotten', async () => {
  const store = sqliteStore(place.file)
  await record(store, 'k', 'answer')
  database.exec('UPDATE hapax_record SET token = 9223372036854775807')
  expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'unreadable' })
  expect((await store.inspect?.list({ limit: 10 }))?.records).toMatchObject([
    { id: 'k', state: 'unreadable' },
  ])
  expect(await store.inspect?.forget('k')).toBe(true)
  expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'claimed', attempt: 1 })
  await store.close()
})

const damages = [
  "state = 'paused'",
  "recovery = 'maybe'",
  'fingerprint = NULL',
  'since_ms = NULL',
  'response = NULL',
  "response = '[]'",
  `response = '{"kind":"kept","status":"200","headers":[]}'`,
  `response = '{"kind":"kept","status":200,"headers":[["a"]]}'`,
  `response = '{"kind":"kept","status":200,"headers":{}}'`,
  `response = '{"kind":"tombstone","status":200,"reason":"whim"}'`,
  'body = NULL',
  "body = x'00'",
  "label = '[1,2]'",
  "label = '{'",
  'attempt = -1',
  'format = -1',
  `owner = '"'`,
]

test.each(damages)('a record with %s is never run as new nor replayed', async (assignment) => {
  const store = sqliteStore(place.file)
  await record(store, 'k', 'answer')
  database.exec(`UPDATE hapax_record SET ${assignment}`)
  expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'unreadable' })
  await store.close()
})
