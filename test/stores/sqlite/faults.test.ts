import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../../../src/core/store.ts'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import { answer, mustClaim, record, replayed, requestFor } from '../verbs.ts'
import { createPlace, destroyPlace, type Place } from './places.ts'

let place: Place

beforeEach(() => {
  place = createPlace()
})

afterEach(() => destroyPlace(place))

test('a disk without room refuses what needs room, keeps what was acknowledged, and works again with room', async () => {
  const database = new DatabaseSync(place.file)
  place.handles.push(database)
  const store = sqliteStore(database)
  database.exec('PRAGMA max_page_count = 40')
  await outlivesFullDisk(store, () => database.exec('PRAGMA max_page_count = 100000'))
})

test('so does a file system that is really full', async ({ skip }) => {
  const disk = join(place.folder, 'disk')
  mkdirSync(disk)
  // Only root may mount; the test above stands for this one elsewhere.
  if (run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk) !== 0)
    return skip('needs the right to mount')
  try {
    const store = sqliteStore(join(disk, 'keys.db'))
    await outlivesFullDisk(store, () => run('mount', '-o', 'remount,size=64m', disk))
  } finally {
    run('umount', disk)
  }
})

async function outlivesFullDisk(store: Store, makeRoom: () => void): Promise<void> {
  const acknowledged = new Map<string, string>()
  const held = await mustClaim(store, 'held')
  let refused: unknown
  for (let index = 0; refused === undefined && index < 200; index += 1) {
    const body = `${index}:`.padEnd(20_000, 'x')
    try {
      await record(store, `k${index}`, body)
      acknowledged.set(`k${index}`, body)
    } catch (error) {
      refused = error
    }
  }
  expect(refused).toMatchObject({
    code: 'store-full',
    message: expect.stringMatching(/keys\.db".*Make room/),
    cause: expect.any(Error),
  })
  await expect(store.complete(held, answer('x'.repeat(20_000)))).rejects.toMatchObject({ code: 'store-full' })
  expect(acknowledged.size).toBeGreaterThan(1)
  for (const [id, body] of acknowledged) expect(await replayed(store, id)).toBe(body)

  makeRoom()
  expect(await store.complete(held, answer('late, but true'))).toBe('written')
  expect(await replayed(store, 'held')).toBe('late, but true')
  await record(store, 'afterwards', 'answer')
  for (const [id, body] of acknowledged) expect(await replayed(store, id)).toBe(body)
  await store.close()
}

test('a path in a folder that does not exist is named, and the folder too', () => {
  const folder = join(place.folder, 'missing', 'deeper')
  expect(() => sqliteStore(join(folder, 'keys.db'))).toThrow(
    expect.objectContaining({
      code: 'store-failed',
      message: expect.stringContaining(`the folder "${folder}" does not exist`),
    }),
  )
})

test('a folder is no file', () => {
  expect(() => sqliteStore(place.folder)).toThrow(
    expect.objectContaining({ code: 'store-failed', message: expect.stringContaining('must be a file') }),
  )
})

test('a file that is no database is left as it was', () => {
  const text = 'Dear diary, this is not a database. '.repeat(200)
  writeFileSync(place.file, text)
  expect(() => sqliteStore(place.file)).toThrow(
    expect.objectContaining({
      code: 'store-failed',
      message: expect.stringContaining('is not a SQLite database'),
    }),
  )
  expect(readFileSync(place.file, 'utf8')).toBe(text)
})

test('a damaged database is an error, not an empty store', async () => {
  const store = sqliteStore(place.file)
  for (let index = 0; index < 50; index += 1) await record(store, `k${index}`, 'x'.repeat(2_000))
  await store.close()
  const bytes = readFileSync(place.file)
  bytes.fill(0xee, 4096)
  writeFileSync(place.file, bytes)
  await expect(async () => {
    const damaged = sqliteStore(place.file)
    await damaged.claim(requestFor('k1'))
  }).rejects.toMatchObject({ code: 'store-failed', message: expect.stringContaining('is damaged') })
})

test('a file that another program has locked for ever is an error after a bound', () => {
  sqliteStore(place.file)
  const other = new DatabaseSync(place.file)
  place.handles.push(other)
  other.exec('BEGIN IMMEDIATE')
  const startedMs = performance.now()
  expect(() => sqliteStore(place.file, { busyTimeout: 20 })).toThrow(
    expect.objectContaining({ code: 'store-failed', message: expect.stringContaining('stayed locked') }),
  )
  expect(performance.now() - startedMs).toBeLessThan(5_000)
})

test.each(['DELETE', 'WAL'])(
  'a new file that another program has locked for a moment, in mode %s, is waited for',
  async (mode) => {
    const program = `
      const { parentPort } = require('node:worker_threads')
      const database = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(place.file)})
      database.exec('PRAGMA journal_mode = ${mode}; BEGIN IMMEDIATE; CREATE TABLE theirs (value TEXT)')
      parentPort.postMessage('locked')
      setTimeout(() => {
        database.exec('COMMIT')
        database.close()
      }, 200)`
    // Opening blocks this thread, so that only another one can free the lock meanwhile.
    const worker = new Worker(program, { eval: true })
    await once(worker, 'message')
    const startedMs = performance.now()
    const store = sqliteStore(place.file)
    expect(performance.now() - startedMs).toBeGreaterThan(100)
    await record(store, 'k', 'answer')
    await store.close()
    await worker.terminate()
  },
)

test.each([
  ['a file that is read-only', () => chmodSync(place.file, 0o444)],
  ['a folder that is read-only', () => chmodSync(place.folder, 0o555)],
])('%s is an error when the store is opened', async (_name, protect) => {
  const store = sqliteStore(place.file)
  await store.close()
  chmodSync(place.file, 0o666)
  chmodSync(place.folder, 0o777)
  protect()
  try {
    expect(unprivileged(() => sqliteStore(place.file))).toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/keys\.db".*writ/),
    })
  } finally {
    chmodSync(place.folder, 0o755)
  }
})

test.each([
  ['busyTimeout', { busyTimeout: -1 }],
  ['busyTimeout', { busyTimeout: 'soon' }],
  ['reapEvery', { reapEvery: 0 }],
  ['clock', { clock: { now: () => 0 } }],
  ['busyTimeoutMs', { busyTimeoutMs: 5 }],
])('a wrong option %s is named', (name, options) => {
  // What JavaScript programs can pass, types or not.
  const wrong: object = options
  expect(() => sqliteStore(place.file, wrong)).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(`"${name}"`) }),
  )
})

test.each([[''], [undefined], [17], [{ prepare: 1 }]])('%j is neither a path nor a database', (target) => {
  // What JavaScript programs can pass, types or not.
  const open: (target: never) => Store = sqliteStore
  expect(() => open(target as never)).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining('pathOrDatabase') }),
  )
})

test('a Node without its own SQLite is told what to use instead', () => {
  const module = fileURLToPath(new URL('../../../src/stores/sqlite.ts', import.meta.url))
  const program = `
    const { sqliteStore } = await import(${JSON.stringify(module)})
    try { sqliteStore('never.db') } catch (error) { console.log(error.code + ': ' + error.message) }`
  const args = ['--no-experimental-sqlite', '--input-type=module', '--eval', program]
  const { stdout } = spawnSync(process.execPath, args, { cwd: place.folder, encoding: 'utf8' })
  expect(stdout).toMatch(/^sqlite-missing: Node v\d+.* libsql or better-sqlite3/)
})

/** Calls `work` as a user whom file permissions bind: they do not bind root. */
function unprivileged(work: () => Store): unknown {
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  try {
    return work()
  } catch (error) {
    return error
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}

function run(command: string, ...args: string[]): number | null {
  return spawnSync(command, args).status
}
