import assert from 'node:assert/strict'
import type { HeldLease, Store, Unsubscribe } from '../../core/store.ts'
import {
  answered,
  bringTo,
  inspectionOf,
  kept,
  mustClaim,
  mustComplete,
  requestFor,
  unknown,
  withRecovery,
} from './kit.ts'
import type { Need, StoreCase } from './subject.ts'

type Change = readonly [
  name: string,
  from: 'running' | 'unknown' | 'new',
  change: (store: Store, lease: HeldLease) => Promise<unknown>,
  needs?: Need,
]

const changes: readonly Change[] = [
  ['completed', 'running', (store, lease) => mustComplete(store, lease, answered(kept('x')))],
  ['given up as unknown', 'running', (store, lease) => mustComplete(store, lease, unknown)],
  ['released', 'running', (store, lease) => store.release(lease, { clean: true })],
  ['abandoned', 'running', (store, lease) => store.abandon('k', lease.owner)],
  ['claimed', 'new', (store) => mustClaim(store, 'k')],
  ['taken over', 'unknown', (store) => mustClaim(store, 'k', withRecovery('rerun'))],
  ['settled', 'unknown', (store) => inspectionOf(store).settle('k', { kind: 'release' }), 'inspect'],
  ['forgotten', 'running', (store) => inspectionOf(store).forget('k'), 'inspect'],
]

const watchRules: readonly StoreCase[] = [
  ...changes.map(
    ([name, from, change, needs]): StoreCase => ({
      name: `a watcher is told when the record is ${name}`,
      ...(needs && { needs: [needs] }),
      async run({ store }) {
        const lease = await prepare(store, from)
        const bell = await Bell.on(store, 'k')
        await change(store, lease)
        await bell.rung()
      },
    }),
  ),
  ...changes.map(
    ([name, from, change, needs]): StoreCase => ({
      name: `a watcher is told when another connection has the record ${name}`,
      needs: ['shared', ...(needs ? [needs] : [])],
      async run({ store, connect }) {
        const lease = await prepare(store, from)
        const bell = await Bell.on(store, 'k')
        await change(await connect(), lease)
        await bell.rung()
      },
    }),
  ),
  {
    name: 'each of many watchers is told, also of a second change',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      const bells = await Promise.all(Array.from({ length: 20 }, () => Bell.on(store, 'k')))
      await mustComplete(store, lease, unknown)
      await Promise.all(bells.map((bell) => bell.rung()))
      await mustComplete(store, lease, answered(kept('x')))
      await Promise.all(bells.map((bell) => bell.rung()))
    },
  },
  {
    name: 'a watcher that ended its subscription is told no more, and others still are',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      const ended = await Bell.on(store, 'k')
      const other = await Bell.on(store, 'k')
      ended.unsubscribe()
      ended.unsubscribe()
      await mustComplete(store, lease, answered(kept('x')))
      await other.rung()
      assert.equal(ended.count, 0)
    },
  },
  {
    name: 'a watcher whose subscription another one ends is told no more',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      let calls = 0
      const ends: Unsubscribe[] = []
      const bell = await Bell.on(store, 'k')
      for (let index = 0; index < 2; index += 1) {
        const end = await store.watch?.('k', () => {
          calls += 1
          for (const other of ends) other()
        })
        if (end !== undefined) ends.push(end)
      }
      await mustComplete(store, lease, unknown)
      await bell.rung()
      await mustComplete(store, lease, answered(kept('x')))
      await bell.rung()
      assert.equal(calls, 1)
    },
  },
  {
    name: 'subscriptions come and go',
    async run({ store }) {
      for (let round = 0; round < 5; round += 1) {
        const id = `k${round}`
        const lease = await mustClaim(store, id)
        const bell = await Bell.on(store, id)
        await mustComplete(store, lease, answered(kept('x')))
        await bell.rung()
        bell.unsubscribe()
      }
    },
  },
  {
    name: 'who watches and then claims never misses the end of a run on another connection',
    needs: ['shared'],
    async run({ store, connect }) {
      const other = await connect()
      for (let round = 0; round < 10; round += 1) {
        const id = `k${round}`
        const lease = await mustClaim(other, id)
        const [bell] = await Promise.all([Bell.on(store, id), other.complete(lease, answered(kept('x')))])
        const seen = await store.claim(requestFor(id))
        if (seen.kind === 'running') await bell.rung()
        bell.unsubscribe()
      }
    },
  },
]

export const watchCases = watchRules.map(
  (rule): StoreCase => ({ ...rule, needs: ['watch', ...(rule.needs ?? [])] }),
)

const ringWithinMs = 5_000

/** Counts calls, and waits for the next. */
class Bell {
  count = 0
  unsubscribe: Unsubscribe = () => {}
  #heard = 0
  #onRing: (() => void) | undefined

  static async on(store: Store, id: string): Promise<Bell> {
    assert(store.watch !== undefined, 'the store has no watch')
    const bell = new Bell()
    bell.unsubscribe = await store.watch(id, () => {
      bell.count += 1
      bell.#onRing?.()
    })
    return bell
  }

  /** Resolves once the listener was called since the last time that this resolved. */
  async rung(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`the watcher was not called within ${ringWithinMs} ms`)),
        ringWithinMs,
      )
      this.#onRing = () => {
        if (this.count > this.#heard) resolve()
      }
      this.#onRing()
    })
    clearTimeout(timer)
    this.#heard = this.count
  }
}

async function prepare(store: Store, from: 'running' | 'unknown' | 'new'): Promise<HeldLease> {
  if (from !== 'new') return bringTo(from, store, 'k', withRecovery('rerun'))
  // No lease: the change itself claims.
  return { ...requestFor('k'), token: 0, attempt: 0, takeover: false }
}
