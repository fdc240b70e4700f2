import { fdatasync, fdatasyncSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/core/clock.ts'
import type { Store } from '../../../src/core/store.ts'
import { openDatabase } from '../../../src/stores/sqlite/database.ts'
import { fdatasyncs, type Syncing } from '../../../src/stores/sqlite/file-sync.ts'
import { SqliteStore } from '../../../src/stores/sqlite/store.ts'
import { answer, mustClaim, record, replayed, requestFor } from '../verbs.ts'
import { createPlace, destroyPlace, type Place } from './places.ts'

// The store and the file are real, and so are the syncs: a disk is made slow by holding them back.

let place: Place
let stores: Store[]

beforeEach(() => {
  place = createPlace()
  stores = []
})

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  destroyPlace(place)
})

/** A disk whose syncs return when they are let. */
class SlowDisk implements Syncing {
  readonly fastMs = -1
  readonly asideFactor = Infinity
  readonly patienceMs: number
  readonly #held: Array<(error?: Error) => void> = []
  blockings = 0

  constructor(patienceMs = 60_000) {
    this.patienceMs = patienceMs
  }

  blocking(descriptor: number): void {
    this.blockings += 1
    fdatasyncSync(descriptor)
  }

  aside(descriptor: number, done: (error: Error | null) => void): void {
    this.#held.push((error) => (error === undefined ? fdatasync(descriptor, done) : done(error)))
  }

  get held(): number {
    return this.#held.length
  }

  async letGo(): Promise<void> {
    await vi.waitFor(() => expect(this.held).toBeGreaterThan(0))
    this.#held.shift()?.()
  }

  async fail(error: Error): Promise<void> {
    await vi.waitFor(() => expect(this.held).toBeGreaterThan(0))
    this.#held.shift()?.(error)
  }
}

/** A store whose first sync is done, on this thread: all others go aside where `syncing` says so. */
async function openOn(syncing: Syncing): Promise<Store> {
  const database = openDatabase(place.file, { lockBoundMs: 5_000, syncing })
  const store = new SqliteStore(database, { busyTimeout: 1_500, reapEvery: 60_000, clock: systemClock })
  stores.push(store)
  await mustClaim(store, `first of ${stores.length}`)
  return store
}

const broken = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })

/** Resolves to whether `promise` is still open after some turns of the event loop. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  return (await Promise.race([promise, sleep(30, open)])) === open
}

test('a grant and a completion are told after the sync of their commit', async () => {
  const disk = new SlowDisk()
  const store = await openOn(disk)
  const claiming = mustClaim(store, 'k')
  expect(await isOpen(claiming)).toBe(true)
  await disk.letGo()
  const completing = store.complete(await claiming, answer('answer'))
  expect(await isOpen(completing)).toBe(true)
  await disk.letGo()
  expect(await completing).toBe('written')
})

test('what a commit holds that is not synced is replayed, refused and listed after its sync; all else at once', async () => {
  const disk = new SlowDisk()
  const store = await openOn(disk)
  const claiming = mustClaim(store, 'new')
  await vi.waitFor(() => expect(disk.held).toBe(1))
  const duplicate = store.claim(requestFor('new', { owner: 'another' }))
  const other = store.claim(requestFor('new', { fingerprint: 'b1:other' }))
  const listed = store.inspect?.get('new')
  expect(await Promise.all([duplicate, other, Promise.resolve(listed)].map(isOpen))).toEqual([
    true,
    true,
    true,
  ])
  expect(await store.claim(requestFor('first of 1', { owner: 'another' }))).toMatchObject({ kind: 'running' })
  await disk.letGo()
  await claiming
  expect(await duplicate).toMatchObject({ kind: 'running' })
  expect(await other).toMatchObject({ kind: 'mismatch' })
  expect(await listed).toMatchObject({ state: 'running' })
})

test('operations that come while a sync runs are committed and synced after it', async () => {
  const disk = new SlowDisk()
  const store = await openOn(disk)
  const first = mustClaim(store, 'a')
  await vi.waitFor(() => expect(disk.held).toBe(1))
  const second = mustClaim(store, 'b')
  await disk.letGo()
  await first
  expect(await isOpen(second)).toBe(true)
  await disk.letGo()
  await second
})

test('what another process has committed and not synced is told by nobody before a sync of its own', async () => {
  const [theirs, ours] = [new SlowDisk(), new SlowDisk()]
  const [them, us] = [await openOn(theirs), await openOn(ours)]
  const claiming = mustClaim(them, 'k')
  await vi.waitFor(() => expect(theirs.held).toBe(1))
  const duplicate = us.claim(requestFor('k', { owner: 'another' }))
  expect(await isOpen(duplicate)).toBe(true)
  await ours.letGo()
  expect(await duplicate).toMatchObject({ kind: 'running' })
  // Nothing was committed since.
  expect(await us.claim(requestFor('k', { owner: 'another' }))).toMatchObject({ kind: 'running' })
  await theirs.letGo()
  await claiming
})

test('a sync that began before another process committed does not cover it', async () => {
  const [theirs, ours] = [new SlowDisk(), new SlowDisk()]
  const [them, us] = [await openOn(theirs), await openOn(ours)]
  const early = mustClaim(us, 'early')
  await vi.waitFor(() => expect(ours.held).toBe(1))
  const claiming = mustClaim(them, 'late')
  await vi.waitFor(() => expect(theirs.held).toBe(1))
  const late = us.claim(requestFor('late', { owner: 'another' }))
  await ours.letGo()
  await early
  expect(await isOpen(late)).toBe(true)
  await ours.letGo()
  expect(await late).toMatchObject({ kind: 'running' })
  await theirs.letGo()
  await claiming
})

test('nor does a transaction that wrote nothing tell what it read of it', async () => {
  const [theirs, ours] = [new SlowDisk(), new SlowDisk()]
  const [them, us] = [await openOn(theirs), await openOn(ours)]
  const claiming = mustClaim(them, 'k')
  await theirs.letGo()
  const lease = await claiming
  const completing = them.complete(lease, answer('answer'))
  await vi.waitFor(() => expect(theirs.held).toBe(1))
  const again = us.complete(lease, answer('answer'))
  expect(await isOpen(again)).toBe(true)
  await ours.letGo()
  expect(await again).toBe('written')
  await theirs.letGo()
  await completing
})

test('what was asked before a sync failed is refused too', async () => {
  const disk = new SlowDisk()
  const store = await openOn(disk)
  const claiming = store.claim(requestFor('a'))
  await vi.waitFor(() => expect(disk.held).toBe(1))
  const asked = store.claim(requestFor('b'))
  const settled = Promise.allSettled([claiming, asked])
  await disk.fail(broken)
  expect(await settled).toMatchObject([
    { reason: { code: 'store-failed' } },
    { reason: { code: 'store-failed' } },
  ])
})

test('nor does a sync that succeeds afterwards count', async () => {
  let syncs = 0
  const store = await openOn({
    ...fdatasyncs,
    fastMs: Infinity,
    blocking: () => {
      syncs += 1
      if (syncs === 2) throw broken
    },
  })
  // More than one transaction takes.
  const claims = Array.from({ length: 300 }, (_, index) => store.claim(requestFor(`k${index}`)))
  const results = await Promise.allSettled(claims)
  expect(results.every(({ status }) => status === 'rejected')).toBe(true)
})

test('what was committed before the store was opened is told after a sync: its process may have died before', async () => {
  const them = await openOn(fdatasyncs)
  await record(them, 'k', 'answer')
  const disk = new SlowDisk()
  const store = new SqliteStore(openDatabase(place.file, { lockBoundMs: 5_000, syncing: disk }), {
    busyTimeout: 1_500,
    reapEvery: 60_000,
    clock: systemClock,
  })
  stores.push(store)
  expect(await replayed(store, 'k')).toBe('answer')
  expect(disk.blockings).toBe(1)
})

test.each([
  [
    'on another thread',
    async (store: Store, disk: SlowDisk) => {
      const claiming = store.claim(requestFor('k'))
      await disk.fail(broken)
      return claiming
    },
  ],
  [
    'on this thread',
    async (store: Store, disk: SlowDisk) => {
      vi.spyOn(disk, 'blocking').mockImplementation(() => {
        throw broken
      })
      return store.claim(requestFor('k'))
    },
  ],
])('after a sync that failed %s, nothing is told until the store is opened again', async (where, claim) => {
  const disk = new SlowDisk(where === 'on this thread' ? 1 : 60_000)
  const store = await openOn(disk)
  const refused = {
    code: 'store-failed',
    message: expect.stringMatching(/keys\.db-wal".*restart the program/),
    cause: broken,
  }
  await expect(claim(store, disk)).rejects.toMatchObject(refused)
  const lease = { ...requestFor('first of 1'), token: 1, attempt: 1, takeover: false }
  await expect(store.claim(requestFor('first of 1'))).rejects.toMatchObject(refused)
  await expect(store.complete(lease, answer('answer'))).rejects.toMatchObject(refused)
  await expect(store.inspect?.get('first of 1')).rejects.toMatchObject(refused)
  const reopened = await openOn(fdatasyncs)
  await expect(store.claim(requestFor('after'))).rejects.toMatchObject(refused)
  await mustClaim(reopened, 'after')
  await record(reopened, 'later', 'answer')
  if (disk.held > 0) await disk.letGo()
})

test('a sync that waits too long for a thread is done on this one', async () => {
  const disk = new SlowDisk(20)
  const store = await openOn(disk)
  await record(store, 'k', 'answer')
  expect(disk.blockings).toBeGreaterThan(2)
  await disk.letGo()
  await disk.letGo()
})

test('a sync that fails after nobody waited for it any more is no less a failure', async () => {
  const disk = new SlowDisk(20)
  const store = await openOn(disk)
  await mustClaim(store, 'k')
  await disk.fail(broken)
  await expect(store.claim(requestFor('next'))).rejects.toMatchObject({ code: 'store-failed', cause: broken })
})

test('nor does a sync count that began before the failure of another was told', async () => {
  const disk = new SlowDisk(200)
  const store = await openOn(disk)
  await mustClaim(store, 'k')
  const next = store.claim(requestFor('next'))
  await vi.waitFor(() => expect(disk.held).toBe(2))
  await disk.fail(broken)
  await disk.letGo()
  await expect(next).rejects.toMatchObject({ code: 'store-failed', cause: broken })
})

test('a disk that is fast is synced on this thread, for each commit once', async () => {
  let blockings = 0
  const store = await openOn({
    ...fdatasyncs,
    fastMs: Infinity,
    blocking: (descriptor) => {
      blockings += 1
      fdatasyncSync(descriptor)
    },
    aside: () => expect.unreachable(),
  })
  await record(store, 'k', 'answer')
  expect(await replayed(store, 'k')).toBe('answer')
  expect(blockings).toBe(3)
})

test('closing waits for the syncs under way', async () => {
  const disk = new SlowDisk()
  const store = await openOn(disk)
  const claiming = mustClaim(store, 'k')
  await vi.waitFor(() => expect(disk.held).toBe(1))
  const closing = store.close()
  expect(await isOpen(closing)).toBe(true)
  await disk.letGo()
  await Promise.all([claiming, closing])
})
