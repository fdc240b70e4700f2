// The store as one process sees it: every call is a message there and a message back.

import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Outcome,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from '../../../src/core/store.ts'
import type { Flaws } from '../seeded-bugs.ts'
import { type Fate, fateOf } from './network.ts'
import type { StoreMachine } from './store-machine.ts'
import type { World } from './world.ts'

const verbs = ['claim', 'renew', 'complete', 'release', 'abandon', 'watch', 'notice', 'step'] as const
type Verb = (typeof verbs)[number]

/** One life of one process. */
export interface Caller {
  readonly name: string
  readonly index: number
  readonly life: number
  readonly isPartitioned: boolean
  /** Runs `callback` when the process runs; never, if that life is over. */
  receive(callback: () => void): void
}

export class Link implements Store {
  readonly name = 'simulated'
  readonly durable = true
  readonly #world: World
  readonly #machine: StoreMachine
  readonly #caller: Caller
  readonly #flaws: Flaws
  #sent = 0

  constructor(world: World, machine: StoreMachine, caller: Caller, flaws: Flaws) {
    this.#world = world
    this.#machine = machine
    this.#caller = caller
    this.#flaws = flaws
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#call(
      'claim',
      (store) => store.claim(request),
      (result) => result.kind,
    )
  }

  renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    if (this.#flaws.renewsNothing === true) return Promise.resolve(leases.map(() => 'renewed'))
    return this.#call('renew', (store) => store.renew(leases), String)
  }

  complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    const written = this.#call('complete', (store) => store.complete(lease, outcome), String)
    if (this.#flaws.answersBeforeRecord !== true) return written
    written.catch(() => {})
    return Promise.resolve('written')
  }

  release(lease: HeldLease, options: { readonly clean: boolean }): Promise<WriteResult> {
    return this.#call('release', (store) => store.release(lease, options), String)
  }

  abandon(id: string, owner: string): Promise<void> {
    return this.#call(
      'abandon',
      (store) => store.abandon(id, owner),
      () => 'done',
    )
  }

  recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    return this.#call('step', (store) => store.recordStep(lease, change), String)
  }

  watch(id: string, listener: () => void): Promise<Unsubscribe> {
    let live = true
    const notify = () => {
      const fate = this.#fate('notice', 'to the waiter', true)
      if (fate.againMs !== undefined) this.#deliver(fate.againMs, () => live && listener())
      if (fate.lost || fate.reset) return
      this.#deliver(fate.delayMs, () => live && listener())
    }
    return this.#call(
      'watch',
      async (store) => {
        const unsubscribe = await store.watch?.(id, notify)
        return () => {
          live = false
          unsubscribe?.()
        }
      },
      () => 'subscribed',
    )
  }

  async close(): Promise<void> {}

  #call<T>(verb: Verb, work: (store: Store) => Promise<T>, describe: (result: T) => string): Promise<T> {
    const there = this.#fate(verb, 'to the store', true)
    const back = this.#fate(verb, 'to the process', false)
    return new Promise((resolve, reject) => {
      const broken = () => reject(new Error('The connection to the store broke.'))
      if (this.#machine.isDown) {
        this.#world.fault('refused connection', () => `the store refuses ${this.#caller.name}'s ${verb}`)
        return this.#deliver(1, broken)
      }
      const arrive = () => {
        this.#machine.serve((store) => {
          work(store).then(
            (result) => {
              this.#world.tell(() => `  the store: ${this.#caller.name}'s ${verb}: ${describe(result)}`)
              if (back.reset) this.#deliver(back.delayMs, broken)
              else if (this.#caller.isPartitioned) this.#lose(verb, 'to the process')
              else if (!back.lost) this.#deliver(back.delayMs, () => resolve(result))
            },
            (error: unknown) => this.#deliver(back.delayMs, () => reject(error)),
          )
        })
      }
      if (this.#caller.isPartitioned) return this.#lose(verb, 'to the store')
      if (there.reset) this.#deliver(there.delayMs, broken)
      if (!there.lost) this.#world.scheduler.after(there.delayMs, arrive)
      if (there.againMs !== undefined) this.#world.scheduler.after(there.againMs, arrive)
    })
  }

  #lose(verb: Verb, direction: string): void {
    this.#world.fault('cut off', () => `cut off: ${this.#caller.name}'s ${verb} ${direction}`)
  }

  #deliver(delayMs: number, callback: () => void): void {
    this.#world.scheduler.after(delayMs, () => this.#caller.receive(callback))
  }

  #fate(verb: Verb, direction: string, twice: boolean): Fate {
    this.#sent += 1
    const number = this.#sent
    const { index, life, name } = this.#caller
    const about = [index, life, verbs.indexOf(verb), number]
    return fateOf(this.#world, about, () => `message ${number} of ${name}, ${verb} ${direction}`, twice)
  }
}
