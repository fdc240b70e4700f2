import { expect } from 'vitest'
import type { Decision } from '../../src/core/decision.ts'
import type { Lease } from '../../src/core/lease.ts'
import type { Reconcile } from '../../src/core/settings.ts'
import { answer, call, createRig, eventsOf, inspect, type Rig } from './engine-rig.ts'
import type { Fault, Verb } from './faulty-link.ts'

export type Mode = 'refuse' | 'rerun' | 'reconcile'

export type Action =
  | { readonly do: 'begin'; readonly process: number; readonly key: number; readonly waitMs: number }
  /** Ends the handler that has run longest, the second longest, and so on. */
  | { readonly do: 'finish'; readonly nth: number; readonly how: 'good' | 'failed' | 'released' }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'stall' | 'resume' | 'crash' | 'heal'; readonly process: number }
  /** The process stalls past its leases, the next one tries its luck with the key, and the first wakes up. */
  | { readonly do: 'overtake'; readonly process: number; readonly key: number }
  | { readonly do: 'fault'; readonly process: number; readonly verb: Verb; readonly fault: Fault }
  | { readonly do: 'outage'; readonly process: number; readonly fault: Fault }

interface Run {
  readonly key: string
  readonly rig: Rig
  readonly lease: Lease
  readonly body: string
  ended: 'good' | 'failed' | 'released' | undefined
}

const leaseMs = 10_000
const maxRunMs = 60_000
const storeTimeoutMs = 1_000

/** Several processes on one store, with handlers that end when the script says so; checks the promises all along. */
export class Simulation {
  readonly #processes: Rig[] = []
  readonly #modes: readonly Mode[]
  readonly #runs: Run[] = []
  /** Good answers that somebody was told, by key. */
  readonly #told = new Map<string, Set<string>>()
  /** The good outcome that was seen recorded, by key. */
  readonly #recorded = new Map<string, string>()
  /** Processes that met with a fault: only they may lose a lease. */
  readonly #disturbed = new Set<Rig>()
  #undecided = 0
  #crashed = false
  /** Processes that crashed: what one told before it did is not forgotten. */
  readonly #dead: Rig[] = []
  #lastBody = 0
  /** A broken promise that came to light in a reaction, for the script to fail on. */
  #violation: unknown

  constructor(processes: number, modes: readonly Mode[]) {
    this.#modes = modes
    const first = createRig({ storeTimeout: storeTimeoutMs })
    this.#processes.push(first)
    while (this.#processes.length < processes) this.#processes.push(this.#start(first))
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      await this.#act(action)
      await this.#first.time.advance(0)
      await this.#checkRecords()
      if (this.#violation !== undefined) throw this.#violation
    }
    await this.#end()
    if (this.#violation !== undefined) throw this.#violation
  }

  async #act(action: Action): Promise<void> {
    if (action.do === 'advance') return this.#first.time.advance(action.ms)
    if (action.do === 'finish') return this.#finish(action.nth, action.how)
    const rig = this.#process(action.process)
    if (action.do === 'begin') return this.#begin(rig, action.key, action.waitMs)
    this.#disturbed.add(rig)
    switch (action.do) {
      case 'fault':
        return rig.link.next(action.verb, action.fault)
      case 'outage':
        return rig.link.always(action.fault, 'claim', 'renew', 'complete', 'release', 'abandon', 'watch')
      case 'heal':
        return rig.link.heal()
      case 'stall':
        return stop(rig)
      case 'resume':
        return this.#resume(rig)
      case 'overtake':
        stop(rig)
        await rig.time.advance(leaseMs + 1)
        this.#begin(this.#process(action.process + 1), action.key, 0)
        await rig.time.advance(0)
        return this.#resume(rig)
      case 'crash':
        stop(rig)
        this.#crashed = true
        this.#dead.push(rig)
        this.#processes[action.process % this.#processes.length] = this.#start(rig)
    }
  }

  #begin(rig: Rig, keyIndex: number, waitMs: number): void {
    if (rig.clock.stalled) return
    const key = `key ${keyIndex % this.#modes.length}`
    this.#undecided += 1
    rig.engine.begin(this.#call(key, waitMs)).then(
      (decision) => {
        this.#undecided -= 1
        this.#check(() => this.#decided(key, rig, decision))
      },
      (error: unknown) => (this.#violation = error),
    )
  }

  #check(expectation: () => void): void {
    try {
      expectation()
    } catch (error) {
      this.#violation ??= error
    }
  }

  #call(key: string, waitMs: number) {
    const mode = this.#modeOf(key)
    const concurrent = waitMs === 0 ? ({ kind: 'reject' } as const) : ({ kind: 'wait', waitMs } as const)
    return call({
      key,
      leaseMs,
      maxRunMs,
      concurrent,
      recovery: mode === 'reconcile' ? this.#reconcile : mode,
    })
  }

  readonly #reconcile: Reconcile = async ({ attempt }) => {
    if (attempt % 3 === 0) return answer(this.#body())
    return attempt % 3 === 1 ? 'rerun' : 'refuse'
  }

  #decided(key: string, rig: Rig, decision: Decision): void {
    if (decision.kind === 'replay' && decision.response.status === 201) {
      this.#tell(key, Buffer.from(decision.response.body).toString())
    }
    if (decision.kind !== 'proceed') return
    if (this.#modeOf(key) === 'refuse') {
      const before = this.#runs.filter((run) => run.key === key)
      // Only a handler that said that nothing had happened may be followed by another.
      expect(before.map((run) => run.ended)).toEqual(before.map(() => 'released'))
    }
    this.#runs.push({ key, rig, lease: decision.lease, body: this.#body(), ended: undefined })
  }

  #finish(nth: number, how: 'good' | 'failed' | 'released'): void {
    const running = this.#runs.filter((run) => run.ended === undefined && !run.rig.clock.stalled)
    const run = running[nth % Math.max(1, running.length)]
    if (run === undefined) return
    run.ended = how
    const status = { good: 201, failed: 500, released: 429 }[how]
    const inTime = run.lease.ageMs < maxRunMs
    run.lease.finish(answer(run.body, status)).then(
      (finished) => {
        const mayBeLost = this.#disturbed.has(run.rig) || !inTime
        if (!mayBeLost) this.#check(() => expect(finished).not.toBe('withheld'))
        if (how === 'good' && finished !== 'withheld') this.#check(() => this.#tell(run.key, run.body))
      },
      (error: unknown) => (this.#violation = error),
    )
  }

  #tell(key: string, body: string): void {
    const told = this.#told.get(key) ?? new Set()
    this.#told.set(key, told.add(body))
    // Where running again is allowed, an answer that was told while the store was down may be superseded.
    const excused = this.#modeOf(key) !== 'refuse' && this.#wasDeferred(key)
    if (!excused) expect([...told]).toHaveLength(1)
  }

  async #checkRecords(): Promise<void> {
    for (const key of this.#keys) {
      const found = await inspect(this.#first, key)
      if (found === undefined || found.state === 'unreadable' || found.record.state !== 'completed') {
        // A good outcome, once recorded, stays.
        expect(this.#recorded.get(key)).toBeUndefined()
        continue
      }
      const { failed, response } = found.record
      if (failed || response.kind !== 'kept') continue
      const body = Buffer.from(response.body).toString()
      expect(this.#recorded.get(key) ?? body).toBe(body)
      this.#recorded.set(key, body)
    }
  }

  /** All faults end, all that can finish does, and time passes: what is left must be in order. */
  async #end(): Promise<void> {
    const { time } = this.#first
    for (const rig of this.#processes) {
      rig.link.heal()
      await this.#resume(rig)
    }
    // Waiters become winners when those before them are done.
    for (let round = 0; round < 5; round += 1) {
      await time.advance(5_000)
      while (this.#runs.some((run) => run.ended === undefined && !run.rig.clock.stalled)) {
        this.#finish(0, 'good')
        await time.advance(0)
      }
    }
    // The last timer may be one that waited for the end of a run.
    await time.advance(maxRunMs + 3 * leaseMs)
    await this.#checkRecords()
    for (const key of this.#keys) {
      expect(await inspect(this.#first, key)).not.toMatchObject({ state: 'running' })
    }
    if (!this.#crashed) {
      expect(this.#undecided).toBe(0)
      await this.#checkKeysAreUsable()
    }
    for (const rig of this.#processes) {
      expect(rig.clock.timers).toBe(0)
      expect(rig.link.subscriptions).toBe(0)
    }
  }

  /** Where no process died, nothing is left in doubt, but for what a function could not find out. */
  async #checkKeysAreUsable(): Promise<void> {
    for (const key of this.#keys) {
      const decision = await this.#first.engine.begin(this.#call(key, 0))
      if (decision.kind === 'proceed') await decision.lease.finish(answer('', 429))
      else if (this.#modeOf(key) !== 'reconcile') expect(decision).toMatchObject({ kind: 'replay' })
    }
    await this.#first.time.advance(maxRunMs + leaseMs)
  }

  #start(beside: Rig): Rig {
    return createRig({ beside, storeTimeout: storeTimeoutMs })
  }

  async #resume(rig: Rig): Promise<void> {
    rig.clock.stalled = false
    // Timers that are overdue fire before the replies are read that have come meanwhile.
    await rig.time.advance(0)
    rig.link.deliver()
  }

  get #first(): Rig {
    return this.#process(0)
  }

  #process(index: number): Rig {
    const rig = this.#processes[index % this.#processes.length]
    if (rig === undefined) throw new Error('There is no process.')
    return rig
  }

  get #keys(): string[] {
    return this.#modes.map((_, index) => `key ${index}`)
  }

  #modeOf(key: string): Mode {
    return this.#modes[Number(key.slice(4))] ?? 'refuse'
  }

  #wasDeferred(key: string): boolean {
    return [...this.#processes, ...this.#dead].some((rig) =>
      eventsOf(rig, 'record-deferred').some((event) => event.key === key),
    )
  }

  #body(): string {
    this.#lastBody += 1
    return `answer ${this.#lastBody}`
  }
}

function stop(rig: Rig): void {
  rig.clock.stalled = true
  rig.link.hold()
}
