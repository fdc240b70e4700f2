// The journal contract on SQLite files, and what is special about them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { journalSchema, sqliteJournal } from '../../src/journal/index.ts'
import { testJournal } from '../../src/testing/journal.ts'
import { finished, leaseOf, mustOpen, mustRecord } from '../../src/testing/journal/kit.ts'
import { openLibsql, openNodeSqlite, sqliteSubject } from '../support/journals.ts'
import { contractForOtherDrivers, wholeContract } from './apis.ts'

testJournal(wholeContract, sqliteSubject('the path of a file', openNodeSqlite, true))
testJournal(contractForOtherDrivers, sqliteSubject('libsql', openLibsql, false))

describe('sqliteJournal', () => {
  let folder: string
  let files = 0
  const newFile = () => {
    files += 1
    const path = join(folder, `${files}.db`)
    const database = new DatabaseSync(path)
    database.exec('CREATE TABLE effect (name TEXT)')
    return { path, database, effects: () => database.prepare('SELECT name FROM effect').all().length }
  }
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hapax-journal-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('an asynchronous function is refused and rolled back, and what it does later is done to nothing', async () => {
    const { path, effects } = newFile()
    const journal = sqliteJournal(path)
    const lease = leaseOf('k', 1)
    await mustOpen(journal, lease)
    const later: unknown[] = []
    const refused = journal.transact({
      step: { lease, name: 'order' },
      work: async (transaction) => {
        const database = transaction as DatabaseSync
        database.exec("INSERT INTO effect VALUES ('at once')")
        await sleep(20)
        try {
          database.exec("INSERT INTO effect VALUES ('later')")
        } catch (error) {
          later.push(error)
        }
        return { kind: 'nothing' }
      },
    })
    await expect(refused).rejects.toMatchObject({
      code: 'invalid-step',
      message:
        'The function of transaction("order") is asynchronous, and SQLite would be locked for everyone until it ends. ' +
        'It was rolled back. Make it return at once; what must be awaited, do in a step() before.',
    })
    await sleep(60)
    expect(later).toHaveLength(1)
    expect(effects()).toBe(0)
    // The journal goes on, on a new connection.
    await mustRecord(journal, lease, finished('a'))
    expect(await mustOpen(journal, leaseOf('k', 2))).toEqual([finished('a')])
    await journal.close()
  })

  test('waits for another writer without blocking, and not for ever', async () => {
    const { path, database } = newFile()
    const journal = sqliteJournal(path, { busyTimeout: 300 })
    database.exec('BEGIN IMMEDIATE')
    let turns = 0
    const timer = setInterval(() => (turns += 1), 10)
    await expect(journal.open(leaseOf('k', 1), 1_000)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('busyTimeout'),
    })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
    setTimeout(() => database.exec('ROLLBACK'), 50)
    await mustOpen(journal, leaseOf('k', 1))
    await journal.close()
  })

  test('a reader holds up the end of a transaction, which is not lost', async () => {
    const { path, database, effects } = newFile()
    const journal = sqliteJournal(path, { busyTimeout: '5s' })
    await mustOpen(journal, leaseOf('k', 1))
    database.exec('BEGIN')
    database.prepare('SELECT * FROM effect').all()
    let runs = 0
    const written = journal.transact({
      step: { lease: leaseOf('k', 1), name: 'order' },
      work: (transaction) => {
        runs += 1
        ;(transaction as DatabaseSync).exec("INSERT INTO effect VALUES ('order')")
        return { kind: 'nothing' }
      },
    })
    await sleep(50)
    database.exec('ROLLBACK')
    expect(await written).toBe('written')
    expect([runs, effects()]).toEqual([1, 1])
    await journal.close()
  })

  test('what is past its time is deleted, with its steps, and nothing else', async () => {
    const { path, database } = newFile()
    const journal = sqliteJournal(path, { cleanEvery: 50 })
    await mustOpen(journal, leaseOf('over', 1), 1)
    await mustRecord(journal, leaseOf('over', 1), finished('a'))
    await mustOpen(journal, leaseOf('kept', 1))
    await mustRecord(journal, leaseOf('kept', 1), finished('a'))
    const ids = (table: string) => database.prepare(`SELECT id FROM ${table}`).all()
    await expect.poll(() => ids('hapax_journal'), { timeout: 5_000 }).toEqual([{ id: 'kept' }])
    expect(ids('hapax_step')).toEqual([{ id: 'kept' }])
    await journal.close()
  })

  test('tables that a team makes itself; a journal that finds none says what to do', async () => {
    const { path, database } = newFile()
    expect(() => sqliteJournal(path, { migrate: false })).toThrow(
      expect.objectContaining({
        code: 'store-failed',
        message: expect.stringContaining('journalSchema("sqlite")'),
      }),
    )
    database.exec(journalSchema('sqlite'))
    await sqliteJournal(path, { migrate: false }).close()
    database.exec('UPDATE hapax_journal_meta SET schema_version = 9, min_reader = 9')
    expect(() => sqliteJournal(path)).toThrow(
      expect.objectContaining({
        code: 'schema-too-new',
        message: expect.stringMatching(/need schema version 9.*Upgrade hapax here/),
      }),
    )
  })

  test('wrong options are named', () => {
    expect(() => sqliteJournal('')).toThrow('pathOrDatabase')
    expect(() => sqliteJournal(join(folder, 'missing', 'x.db'))).toThrow('does not exist')
    expect(() => sqliteJournal(join(folder, 'x.db'), { busyTimeout: 'soon' as never })).toThrow('busyTimeout')
    expect(() => journalSchema('oracle' as never)).toThrow('database')
  })
})
