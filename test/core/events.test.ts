import { channel } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { Engine } from '../../src/core/engine.ts'
import type { IdempotencyEvent, StoreOperation } from '../../src/core/events.ts'
import type { Lease } from '../../src/core/lease.ts'
import { Guard, type RequestView } from '../../src/http/guard.ts'
import { readHttpOptions } from '../../src/http/options.ts'
import { reactions } from '../support/clock.ts'
import type { Rig } from '../support/engine-rig.ts'
import {
  answer,
  beginRun,
  call,
  createRig,
  eventsOf,
  expectReplay,
  leaseMs,
  waiting,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

/** One way to each event. The type checker finds the event that has none here, the test the one that never comes. */
const waysTo: Record<IdempotencyEvent['type'], (rig: Rig) => Promise<unknown>> = {
  claimed: (rig) => beginRun(rig),
  completed: async (rig) => (await beginRun(rig)).finish(answer()),
  released: async (rig) => (await beginRun(rig)).finish(answer('slow down', 429)),
  async replayed(rig) {
    await (await beginRun(rig)).finish(answer())
    await rig.engine.begin(call())
  },
  async rejected(rig) {
    await beginRun(rig)
    await rig.engine.begin(call())
  },
  refused: (rig) => admitWithoutKey(rig),
  async bypassed(rig) {
    rig.link.next('claim', 'refuse')
    await rig.engine.begin(call())
  },
  async reconciled(rig) {
    await (await beginRun(rig, { recovery: async () => 'refuse' })).finishUnknown()
    await rig.engine.begin(call({ recovery: async () => answer('found') }))
  },
  async 'step-unknown'(rig) {
    await stopInStep(await beginRun(rig, { recovery: 'rerun' }))
    await beginRun(rig, { recovery: 'rerun' })
      .then((lease) => lease.steps.step('charge', paid))
      .catch(() => {})
  },
  async 'steps-unvisited'(rig) {
    const lease = await beginRun(rig, { recovery: 'rerun' })
    await lease.steps.step('charge', paid)
    await lease.finish(answer('broken', 500))
    await (await beginRun(rig, { recovery: 'rerun' })).finish(answer())
  },
  async 'lease-lost'(rig) {
    const lease = await beginRun(rig)
    await rig.store.inspect?.forget(lease.held.id)
    await beginRun(createRig({ beside: rig }))
    await rig.time.advance(leaseMs)
  },
  async 'run-exceeded'(rig) {
    await beginRun(rig, { maxRunMs: 1_000 })
    await rig.time.advance(1_000)
  },
  async 'record-deferred'(rig) {
    rig.link.next('complete', 'refuse')
    await (await beginRun(rig)).finish(answer())
  },
  async 'record-recovered'(rig) {
    rig.link.next('complete', 'refuse')
    await (await beginRun(rig)).finish(answer())
    await rig.time.advance(50)
  },
  async 'record-lost'(rig) {
    rig.link.always('refuse', 'complete')
    await (await beginRun(rig)).finish(answer())
    void rig.engine.close({ graceMs: 10 })
    await rig.time.advance(10)
  },
  async 'store-error'(rig) {
    rig.link.next('claim', 'refuse')
    await rig.engine.begin(call())
  },
}

describe('every event', () => {
  test.each(Object.entries(waysTo))(
    '%s comes, at the listener and on the diagnostics channel',
    async (type, way) => {
      const published: unknown[] = []
      const subscriber = (event: unknown) => void published.push(event)
      channel('hapax:event').subscribe(subscriber)
      try {
        const rig = createRig({ onStoreError: type === 'bypassed' ? 'bypass' : 'reject' })
        await way(rig)
        expect(rig.events.map((event) => event.type)).toContain(type)
        for (const event of rig.events) expect(published).toContain(event)
      } finally {
        channel('hapax:event').unsubscribe(subscriber)
      }
    },
  )

  test('says whose it is, and never what was answered', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish(answer('secret'))
    await rig.engine.begin(call())
    for (const event of rig.events) {
      expect(event).toMatchObject({ id: expect.stringMatching(/^[\w-]{43}$/), key: 'key', scope: 'user' })
    }
    expect(JSON.stringify(rig.events)).not.toContain('secret')
  })
})

/** A store's operations; a journal's are in steps.test.ts. */
const waysToFail: Record<Exclude<StoreOperation, 'open-journal'>, (rig: Rig) => Promise<unknown>> = {
  claim: (rig) => rig.engine.begin(call()),
  async renew(rig) {
    await beginRun(rig)
    await rig.time.advance(leaseMs / 3)
  },
  complete: async (rig) => (await beginRun(rig)).finish(answer()),
  release: async (rig) => (await beginRun(rig)).finish(answer('slow down', 429)),
  async abandon(rig) {
    rig.link.next('claim', 'refuse')
    await rig.engine.begin(call())
  },
  step: async (rig) => (await beginRun(rig)).steps.step('charge', paid).catch(() => {}),
  async watch(rig) {
    await beginRun(rig)
    void rig.engine.begin(call({ concurrent: waiting() }))
  },
  close: (rig) => rig.engine.close({ graceMs: 0 }).catch(() => {}),
}

test.each(Object.entries(waysToFail))(
  'a store that fails on %s is reported with its error',
  async (operation, way) => {
    const rig = createRig()
    rig.link.always('refuse', operation as keyof typeof waysToFail)
    await way(rig)
    await reactions()
    const error = expect.objectContaining({ message: `The link broke on ${operation}.` })
    expect(eventsOf(rig, 'store-error')).toContainEqual({ type: 'store-error', operation, error })
  },
)

describe('a listener that fails', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
      'Error: broken',
    ],
    [
      'throws nonsense',
      () => {
        throw Object.create(null)
      },
      'Error: a value was thrown that has no text',
    ],
    ['rejects', () => Promise.reject(new TypeError('broken')), 'TypeError: broken'],
  ])('%s: is logged, and changes nothing', async (_, on, told) => {
    const rig = createRig({ on })
    expect(await (await beginRun(rig)).finish(answer('fine'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'fine')
    await reactions()
    expect(rig.warnings).toEqual(
      ['claimed', 'completed', 'replayed'].map(
        (type) => `The "on" listener threw on a "${type}" event: ${told}`,
      ),
    )
  })
})

async function admitWithoutKey(rig: Rig): Promise<void> {
  const options = {
    scope: false,
    required: true,
    store: rig.link.store,
    clock: rig.clock,
    on: (event: IdempotencyEvent) => rig.events.push(event),
  }
  const { engine, http } = readHttpOptions<object, never>(options)
  const view: RequestView<object> = {
    native: {},
    method: 'POST',
    target: '/',
    contentType: undefined,
    fieldLines: () => [],
    body: () => Promise.reject(new Error('must not be read')),
    onGone: () => () => {},
  }
  expect(await new Guard<object>(new Engine(engine), http).admit(view)).toMatchObject({
    kind: 'reject',
    problem: { code: 'missing-key' },
  })
}

function paid(): string {
  return 'paid'
}

/** A step that began and never ended: the handler failed beside it. */
async function stopInStep(lease: Lease): Promise<void> {
  await lease.steps.step('charge', () => Promise.reject(new Error('no answer'))).catch(() => {})
  await lease.finish(answer('broken', 500))
}
