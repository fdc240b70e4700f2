// What is special about a journal in a database server, whichever it is.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../../scripts/services/index.ts'
import type { Journal } from '../../src/core/journal.ts'
import { finished, leaseOf, mustOpen, mustRecord } from '../../src/testing/journal/kit.ts'
import { otherFingerprint } from '../../src/testing/store/kit.ts'
import { countRoundTrips, type RoundTrips } from '../support/round-trips.ts'

/** One database of a server. */
export interface Place {
  /** The URL of a database, or the name of a schema in it. */
  readonly name: string
  /** As it is, or by another port. */
  connect(options?: ConnectOptions): Connected
  /** Runs SQL on a connection of its own. */
  run(sql: string): Promise<void>
  /** How many rows a table of the journal has. */
  count(table: 'hapax_journal' | 'hapax_step'): Promise<number>
  effects(): Promise<number>
  /** Locks the head of a key as a step does that has not committed. */
  holdHead(id: string): Promise<() => Promise<void>>
  destroy(): Promise<void>
}

export interface ConnectOptions {
  readonly port?: number
  readonly cleanEvery?: number
  readonly lockTimeout?: number
  readonly migrate?: boolean
  /** The isolation of whoever does not say otherwise. */
  readonly isolation?: 'read committed' | 'serializable'
  /** Called just before COMMIT is sent, and just after. */
  readonly onCommit?: CommitHook
}

export interface CommitHook {
  /** COMMIT waits for it, where it returns a promise and the driver lets us. */
  before(): void | Promise<void>
  after(): void
}

export interface Connected {
  readonly journal: Journal
  addEffect(transaction: unknown): Promise<void>
  close(): Promise<void>
}

export interface About {
  readonly port: number
  /** What makes the tables, and what then says that a newer release has changed them. */
  readonly schema: string
  readonly newerSchema: string
  /** Of a whole transactional step with one statement of the application's: BEGIN and COMMIT included. */
  readonly transactionTrips: number
  /** A test can hold COMMIT back. */
  readonly canDelayCommit: boolean
}

export function serverCases(name: string, about: About, newPlace: () => Promise<Place>): void {
  describe(`journal on ${name}`, { timeout: 60_000 }, () => {
    let place: Place
    const opened: Connected[] = []
    const connect = (options: ConnectOptions = {}, at = place): Connected => {
      const connected = at.connect(options)
      opened.push(connected)
      return connected
    }
    const step = ({ journal, addEffect }: Connected, id: string) =>
      journal.transact({
        step: { lease: leaseOf(id, 1), name: 'order' },
        work: async (native) => {
          await addEffect(native)
          return { kind: 'nothing' }
        },
      })

    beforeAll(async () => {
      place = await newPlace()
      await mustOpen(connect().journal, leaseOf('first', 1))
    })
    afterAll(async () => {
      await Promise.all(opened.map(({ close }) => close()))
      await place.destroy()
    })

    test.concurrent('round trips: an opening 1, a later one 2, a step 2, a transactional step 1 inside the transaction', async () => {
      const trips: RoundTrips = await countRoundTrips(about.port)
      const connected = connect({ port: trips.port })
      const { journal } = connected
      const lease = leaseOf('trips', 1)
      const cost = async (work: () => Promise<unknown>) => {
        const before = trips.count()
        await work()
        return trips.count() - before
      }
      // The first of each prepares tables, connections and statements.
      await mustOpen(journal, leaseOf('warm', 1))
      await mustRecord(journal, leaseOf('warm', 1), finished('a'))
      await step(connected, 'warm')
      await mustOpen(journal, leaseOf('warm', 2))
      expect(await cost(() => mustOpen(journal, lease))).toBe(1)
      expect(await cost(() => mustRecord(journal, lease, { state: 'begun', name: 'a', safe: true }))).toBe(1)
      expect(await cost(() => mustRecord(journal, lease, finished('a')))).toBe(1)
      expect(await cost(() => step(connected, 'trips'))).toBe(about.transactionTrips)
      expect(await cost(() => mustOpen(journal, leaseOf('trips', 2)))).toBe(2)
      // The store forgot the key: an attempt that looks like the first.
      const forgotten = leaseOf('trips', 3, { attempt: 1, takeover: false })
      expect(await cost(() => mustOpen(journal, forgotten))).toBe(3)
      await connected.close()
      await trips.close()
    })

    test.concurrent('an opening that meets a lock says so, and soon', async () => {
      const { journal } = connect({ lockTimeout: 1_000 })
      await mustOpen(journal, leaseOf('held', 1))
      const letGo = await place.holdHead('held')
      const began = performance.now()
      await expect(journal.open(leaseOf('held', 2), 1_000)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringContaining('stopped process'),
      })
      expect(performance.now() - began).toBeLessThan(8_000)
      await letGo()
      await mustOpen(journal, leaseOf('held', 2))
    })

    test.concurrent.for(about.canDelayCommit ? isolations : [])(
      'an opening waits for a transaction that is about to commit, and sees its step (%s)',
      async (isolation) => {
        const id = `closing ${isolation}`
        const other = connect({ isolation })
        let opening: Promise<unknown> | undefined
        let isOpen = false
        let wasOpenBeforeCommit = false
        const before = async () => {
          opening ??= mustOpen(other.journal, leaseOf(id, 2)).finally(() => (isOpen = true))
          await sleep(300)
          wasOpenBeforeCommit = isOpen
        }
        const connected = connect({ isolation, onCommit: first({ before, after: () => {} }) })
        await mustOpen(connected.journal, leaseOf(id, 1))
        expect(await step(connected, id)).toBe('written')
        expect(await opening).toMatchObject([{ name: 'order', state: 'finished' }])
        expect(wasOpenBeforeCommit).toBe(false)
      },
    )

    test.concurrent.for(isolations)(
      'a transaction that was overtaken has no effect (%s)',
      async (isolation) => {
        const fresh = await newPlace()
        const { journal, addEffect, close } = connect({ isolation }, fresh)
        const lease = leaseOf('k', 1)
        await mustOpen(journal, lease)
        const overtaken = journal.transact({
          step: { lease, name: 'order' },
          work: async (native) => {
            await addEffect(native)
            await mustOpen(journal, leaseOf('k', 2))
            return { kind: 'nothing' }
          },
        })
        // Under a strict isolation the server may refuse before the journal does.
        expect(await overtaken.catch(() => 'refused')).toMatch(/^(stale|refused)$/)
        expect(await fresh.effects()).toBe(0)
        expect(await mustOpen(journal, leaseOf('k', 3))).toEqual([])
        await close()
        await fresh.destroy()
      },
    )

    test.concurrent('one stopped transaction starves no other key', async () => {
      const connected = connect()
      await mustOpen(connected.journal, leaseOf('stopped', 1))
      const letGo = await place.holdHead('stopped')
      const blocked = connected.journal.open(leaseOf('stopped', 2), 1_000).catch(() => {})
      for (let index = 0; index < 20; index += 1) {
        await mustOpen(connected.journal, leaseOf(`free ${index}`, 1))
        expect(await step(connected, `free ${index}`)).toBe('written')
      }
      await letGo()
      await blocked
    })

    describe('a COMMIT whose answer is lost', () => {
      const lose = async (hookOf: (proxy: TcpProxy) => CommitHook) => {
        const proxy = await startTcpProxy(about.port)
        const fresh = await newPlace()
        const onCommit = first(hookOf(proxy))
        const connected = connect({ port: proxy.port, lockTimeout: 1_000, onCommit }, fresh)
        await mustOpen(connected.journal, leaseOf('lost', 1))
        const end = async () => {
          proxy.open()
          await connected.close()
          await fresh.destroy()
          await proxy.close()
        }
        return { connected, effects: () => fresh.effects(), end }
      }

      test.concurrent('and that was carried out counts as written', async () => {
        const { connected, effects, end } = await lose((proxy) => ({
          before: () => proxy.holdAnswers(),
          after: () =>
            void setTimeout(() => {
              proxy.cut()
              proxy.resume()
            }, 300),
        }))
        expect(await step(connected, 'lost')).toBe('written')
        expect(await effects()).toBe(1)
        expect(await mustOpen(connected.journal, leaseOf('lost', 2))).toHaveLength(1)
        await end()
      })

      test.concurrent('and that never arrived is an error, and can be repeated', async () => {
        const { connected, effects, end } = await lose((proxy) => ({
          before: () => proxy.cut(),
          after: () => {},
        }))
        await expect(step(connected, 'lost')).rejects.not.toMatchObject({ code: 'commit-unknown' })
        expect(await effects()).toBe(0)
        expect(await step(connected, 'lost')).toBe('written')
        expect(await effects()).toBe(1)
        await end()
      })

      test.concurrent('and that nobody can ask after is unknown', async () => {
        const { connected, end } = await lose((proxy) => ({ before: () => proxy.shut(), after: () => {} }))
        await expect(step(connected, 'lost')).rejects.toMatchObject({ code: 'commit-unknown' })
        await end()
      })
    })

    test.concurrent('what is past its time is deleted, with its steps, and nothing else', async () => {
      const fresh = await newPlace()
      const { journal } = connect({ cleanEvery: 200 }, fresh)
      for (let index = 0; index < 5; index += 1) {
        const lease = leaseOf(`over ${index}`, 1)
        await mustOpen(journal, lease, 1_000)
        await mustRecord(journal, lease, finished('a'), finished('b'))
      }
      await mustOpen(journal, leaseOf('kept', 1))
      await mustRecord(journal, leaseOf('kept', 1), finished('a'))
      const letGo = await fresh.holdHead('over 0')
      await sleep(1_100)
      await waitFor(async () => (await fresh.count('hapax_journal')) === 2)
      expect(await fresh.count('hapax_step')).toBe(3)
      await letGo()
      await waitFor(async () => (await fresh.count('hapax_journal')) === 1)
      expect(await fresh.count('hapax_step')).toBe(1)
      // A key that was cleaned away is new, also to another request.
      expect(await mustOpen(journal, leaseOf('over 1', 2, { fingerprint: otherFingerprint }))).toEqual([])
      await journal.close()
      await fresh.destroy()
    })

    test.concurrent('many that start at once on an empty database make the tables once', async () => {
      const fresh = await newPlace()
      const many = Array.from({ length: 20 }, () => connect({}, fresh))
      await Promise.all(many.map(({ journal }, index) => mustOpen(journal, leaseOf(`k${index}`, 1))))
      expect(await fresh.count('hapax_journal')).toBe(20)
      await Promise.all(many.map(({ close }) => close()))
      await fresh.destroy()
    })

    test.concurrent('tables that a team makes itself; a journal that finds none says what to do', async () => {
      const fresh = await newPlace()
      const connected = connect({ migrate: false }, fresh)
      await expect(connected.journal.open(leaseOf('k', 1), 1_000)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringContaining('journalSchema('),
      })
      await fresh.run(about.schema)
      await fresh.run(about.schema)
      await mustOpen(connected.journal, leaseOf('k', 1))
      await fresh.run(about.newerSchema)
      await expect(connect({}, fresh).journal.open(leaseOf('k', 1), 1_000)).rejects.toMatchObject({
        code: 'schema-too-new',
        message: expect.stringMatching(/need schema version 9.*Upgrade hapax here/),
      })
      await connected.close()
      await fresh.destroy()
    })
  })
}

const isolations = ['read committed', 'serializable'] as const

/** The question whether a COMMIT was carried out ends with one too. */
function first({ before, after }: CommitHook): CommitHook {
  let commits = 0
  return {
    before: () => {
      commits += 1
      return commits === 1 ? before() : undefined
    },
    after: () => {
      if (commits === 1) after()
    },
  }
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 15_000
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error('It did not happen in time.')
    await sleep(50)
  }
}
