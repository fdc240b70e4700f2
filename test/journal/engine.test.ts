// What becomes of requests when the store and the journal do not agree.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteJournal } from '../../src/journal/index.ts'
import type { Journal } from '../../src/core/journal.ts'
import { recordId } from '../../src/protocol/identity.ts'
import { leaseOf, mustOpen } from '../../src/testing/journal/kit.ts'
import {
  answer,
  beginRun,
  call,
  createRig,
  eventsOf,
  expectProblem,
  type Rig,
} from '../support/engine-rig.ts'

let folder: string
let database: DatabaseSync
let journal: Journal
let rig: Rig
const id = recordId('user', 'key')
const rerun = { recovery: 'rerun', fingerprint: 'b1:a v1:a' } as const

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-engine-'))
  database = new DatabaseSync(join(folder, 'app.db'))
  database.exec('CREATE TABLE effect (name TEXT)')
  journal = sqliteJournal(join(folder, 'app.db'))
  rig = createRig({ journal })
})
afterEach(async () => {
  await journal.close()
  database.close()
  rmSync(folder, { recursive: true })
})

const effects = () => database.prepare('SELECT name FROM effect').all().length
const insert = (transaction: DatabaseSync) => {
  transaction.exec("INSERT INTO effect VALUES ('order')")
  return { id: 1 }
}

test('a store that forgets in the middle: the journal remembers, and there is one effect', async () => {
  const first = await beginRun(rig, rerun)
  await first.steps.step('charge', () => 'ch_1')
  await first.steps.transaction('order', insert)
  await rig.store.inspect?.forget(id)
  const other = createRig({ beside: rig, journal: sqliteJournal(join(folder, 'app.db')) })
  const second = await beginRun(other, rerun)
  expect(second.held.attempt).toBe(1)
  const never = () => {
    throw new Error('must not run')
  }
  expect(await second.steps.step('charge', never)).toBe('ch_1')
  expect(await second.steps.transaction('order', never)).toEqual({ id: 1 })
  expect(effects()).toBe(1)
  // The first run lives on, and is shut out.
  await expect(first.steps.transaction('late', insert)).rejects.toMatchObject({ code: 'outcome-unknown' })
  expect(effects()).toBe(1)
  expect(await second.finish(answer())).toBe('recorded')
  await other.engine.close({ graceMs: 0 })
})

test('a store that forgets, and another request under the key: refused, and the claim is given back', async () => {
  const first = await beginRun(rig, rerun)
  await first.steps.transaction('order', insert)
  await rig.store.inspect?.forget(id)
  const other = await rig.engine.begin(call({ ...rerun, fingerprint: 'b1:b v1:b' }))
  expectProblem(other, 'key-reused')
  const incomparable = await rig.engine.begin(call({ ...rerun, fingerprint: 'c1:c' }))
  expectProblem(incomparable, 'outcome-unknown')
  await rig.time.advance(20)
  const again = await beginRun(rig, rerun)
  expect(await again.steps.transaction('order', insert)).toEqual({ id: 1 })
  expect(effects()).toBe(1)
})

test('a journal that is ahead: not run, and to be sent again', async () => {
  const ahead = leaseOf(id, 1, { token: Number.MAX_SAFE_INTEGER, fingerprint: rerun.fingerprint })
  await mustOpen(journal, ahead)
  expectProblem(await rig.engine.begin(call(rerun)), 'store-unavailable')
})

test('a journal that is down: not run, and the claim is given back', async () => {
  database.exec('BEGIN IMMEDIATE')
  const beginning = rig.engine.begin(call(rerun))
  // Real time passes for SQLite, and none for the engine.
  expectProblem(await beginning, 'store-unavailable')
  expect(eventsOf(rig, 'store-error')).toMatchObject([{ operation: 'open-journal' }])
  database.exec('ROLLBACK')
  await rig.time.advance(20)
  await beginRun(rig, rerun)
})

test('a process that is told to end while the journal opens: not run, and the claim is given back', async () => {
  const other = createRig({ beside: rig })
  database.exec('BEGIN IMMEDIATE')
  const beginning = rig.engine.begin(call(rerun))
  await rig.time.advance(0)
  const closing = rig.engine.close({ graceMs: 1_000 })
  database.exec('ROLLBACK')
  expectProblem(await beginning, 'store-unavailable')
  await closing
  const [, second] = await Promise.all([rig.time.advance(20), other.engine.begin(call(rerun))])
  expect(second.kind).toBe('proceed')
})

test('a result that is not JSON rolls the transaction back', async () => {
  const lease = await beginRun(rig, rerun)
  const odd = (transaction: DatabaseSync) => {
    insert(transaction)
    return 1n
  }
  await expect(lease.steps.transaction('order', odd)).rejects.toMatchObject({
    code: 'step-result-not-kept',
    message:
      'The result of the transaction "order" can\'t be kept. ' +
      'Return JSON of at most 64 KiB, for example the id of what was made.',
  })
  expect(effects()).toBe(0)
})

test('an asynchronous function in an SQLite transaction is a clear error', async () => {
  const lease = await beginRun(rig, rerun)
  const slow = async (transaction: DatabaseSync) => insert(transaction)
  await expect(lease.steps.transaction('order', slow)).rejects.toMatchObject({ code: 'invalid-step' })
  expect(effects()).toBe(0)
})
