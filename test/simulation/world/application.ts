// The application behind hapax: a handler with an effect that must not happen twice, and a function that
// finds out whether it did. It comes to hapax through the seam of the HTTP adapters or through `run`.

import { isIdempotencyError } from '../../../src/core/errors.ts'
import { idempotencyOf } from '../../../src/core/idempotency.ts'
import type { Lease } from '../../../src/core/lease.ts'
import { callSettings, runReaders } from '../../../src/core/options.ts'
import type { StoredResponse } from '../../../src/core/record.ts'
import type { RunRequest } from '../../../src/core/run.ts'
import type { RunContext } from '../../../src/core/run-context.ts'
import type { CallSettings, Reconcile } from '../../../src/core/settings.ts'
import type { Unsubscribe } from '../../../src/core/store.ts'
import { customFingerprint } from '../../../src/protocol/fingerprint.ts'
import type { Answer, Recovery, Refusal } from '../checker/history.ts'
import { type Behaviour, behaviourOf } from './behaviour.ts'
import { howOf, responseOf, runOf } from './bodies.ts'
import type { JournalTransaction } from './journal-dialect.ts'
import type { Life } from './server.ts'
import type { World } from './world.ts'

export interface Request {
  readonly number: number
  readonly client: string
  readonly key: string
  readonly payload: string
  /** Chance of this request's own, the same however the rest of the world is shrunk. */
  readonly chance: number
  onGone(listener: () => void): Unsubscribe
}

export type Reply = (answer: Answer) => void

/** Answers a request that has reached a living process. Never rejects. */
export async function serve(world: World, life: Life, request: Request, reply: Reply): Promise<void> {
  const exchange = new Exchange(world, life, request, reply)
  life.exchanges.add(exchange)
  try {
    if (world.plan.entry === 'begin') await exchange.throughAdapter()
    else await exchange.throughRun()
  } catch (error) {
    world.surprises.push(`request ${request.number} met an error that nobody expects: ${String(error)}`)
  }
  life.exchanges.delete(exchange)
}

/** How a handler ended, as the two entries need to hear it. */
interface Ended {
  readonly run: number
  /** 0 where it ran unprotected. */
  readonly token: number
  readonly behaviour: Behaviour
}

type Control = Pick<RunContext, 'signal' | 'token' | 'release' | 'keep' | 'step' | 'transaction'>

/** The bank says no: nothing happened. */
class Refused extends Error {}

class HandlerFailed extends Error {
  readonly run: number

  constructor(run: number) {
    super(`run ${run}`)
    this.run = run
  }
}

class Exchange {
  readonly #world: World
  readonly #life: Life
  readonly #request: Request
  readonly #reply: Reply
  readonly #deferralsBefore: number
  readonly #stallsBefore: number
  readonly #arrivedMs: number
  #run: Ended | undefined
  #endedMs = 0

  constructor(world: World, life: Life, request: Request, reply: Reply) {
    this.#world = world
    this.#life = life
    this.#request = request
    this.#reply = reply
    this.#deferralsBefore = life.deferralsOf(request.key)
    this.#stallsBefore = life.server.stalls
    this.#arrivedMs = world.nowMs
  }

  get number(): number {
    return this.#request.number
  }

  /** Its handler never ends, so nobody is owed an answer. */
  get hangs(): boolean {
    return this.#run?.behaviour.hangs === true
  }

  // ---- the seam of the adapters

  async throughAdapter(): Promise<void> {
    const { key, payload } = this.#request
    const decision = await this.#life.engine.begin({
      key,
      scope: 'tenant',
      fingerprint: customFingerprint(payload),
      settings: settingsOf(this.#world, this.#recovery, (context) => this.#findOut(context.signal)),
      onGone: (listener) => this.#request.onGone(listener),
    })
    switch (decision.kind) {
      case 'proceed':
        return this.#underLease(decision.lease)
      case 'replay': {
        const { status, body } = decision.response
        return this.#answer(runOf(Buffer.from(body).toString()), howOf(status), true)
      }
      case 'reject':
        return this.#refuse(decision.problem.code)
      case 'bypass': {
        const ended = await this.#handle(unprotected)
        return this.#answer(ended.run, ended.behaviour.how, false, false)
      }
    }
  }

  async #underLease(lease: Lease): Promise<void> {
    const ended = await this.#handle({
      signal: lease.signal,
      token: lease.held.token,
      step: (name, fn, options) => lease.steps.step(name, fn, options),
      transaction: (name, fn, options) => lease.steps.transaction(name, fn, options),
      release: () => void (lease.verdict = 'release'),
      keep: () => void (lease.verdict = 'keep'),
    })
    const finished = await lease.finish(responseOf(ended.run, ended.behaviour))
    if (finished === 'withheld') return this.#refuse('outcome-unknown')
    this.#answer(ended.run, ended.behaviour.how, false, finished === 'recorded')
  }

  // ---- run

  async throughRun(): Promise<void> {
    const { plan } = this.#world
    const { key, payload } = this.#request
    const recovery = this.#recovery
    const request: RunRequest<string> = {
      key,
      scope: 'tenant',
      payload,
      lease: plan.leaseMs,
      maxRun: plan.maxRunMs,
      retain: plan.retainMs,
      retainUnknown: plan.retainUnknownMs,
      ...(plan.waitMs > 0 && { concurrent: { wait: plan.waitMs } }),
      recovery: recovery === 'reconcile' ? ({ signal }) => this.#findOutValue(signal) : recovery,
    }
    try {
      const value = await idempotencyOf(this.#life.engine).run(request, (context) =>
        this.#handleValue(context),
      )
      this.#answerValue(value)
    } catch (error) {
      this.#answerError(error)
    }
  }

  async #handleValue(context: RunContext): Promise<string> {
    const ended = await this.#handle(context.token === 0 ? unprotected : context)
    const { behaviour, run } = ended
    if (behaviour.how === 'nothing') context.release()
    if (behaviour.how === 'failed') throw new HandlerFailed(run)
    if (!behaviour.tooLarge) return `run ${run}`
    // What JSON can't say leaves a tombstone, as an answer does that is too large. The cast hides it from the types.
    return BigInt(run) as unknown as string
  }

  #answerValue(value: string): void {
    if (this.#run === undefined) return this.#answer(runOf(value), 'good', true)
    const { behaviour, run } = this.#run
    this.#answer(run, behaviour.how, false, behaviour.how === 'good')
  }

  #answerError(error: unknown): void {
    if (error instanceof HandlerFailed) {
      return this.#answer(error.run, 'failed', false, this.#recovery !== 'rerun')
    }
    if (!isIdempotencyError(error)) throw error
    if (error.code === 'recorded-failure') return this.#answer(runOf(error.message), 'failed', true)
    if (error.code !== 'result-not-serializable') return this.#refuse(error.code)
    if (this.#run === undefined) this.#refuse('response-not-kept')
    else this.#answer(this.#run.run, 'good', false)
  }

  // ---- the application

  async #handle(control: Control): Promise<Ended> {
    const world = this.#world
    const run = world.nextRun()
    const behaviour = behaviourOf(world.plan, this.#request.chance, this.#request.client === 'probe')
    const { token } = control
    const ended: Ended = { run, token, behaviour }
    this.#run = ended
    const { number } = this.#request
    world.note({
      kind: 'run',
      run,
      request: number,
      process: this.#life.name,
      token,
      recovery: this.#recovery,
    })
    await this.#life.sleep(behaviour.beforeMs)
    if (behaviour.hangs) await new Promise(() => {})
    if (control.signal.aborted && behaviour.obeys)
      return this.#end({ ...ended, behaviour: { ...behaviour, ...givenUp } })
    if (behaviour.pays && world.plan.steps) {
      const stopped =
        world.plan.journal === 'transactions' && control !== unprotected
          ? await this.#payInTransaction(control, run)
          : await this.#payInStep(control, run)
      if (stopped) return this.#end({ ...ended, behaviour: { ...behaviour, ...givenUp } })
    } else if (behaviour.pays) this.#pay(run)
    await this.#life.sleep(behaviour.afterMs)
    if (behaviour.how === 'nothing' && behaviour.status === 200) control.release()
    if (behaviour.how === 'good' && behaviour.status === 429) control.keep()
    return this.#end(ended)
  }

  #pay(run: number): void {
    this.#world.ledger.set(this.#account, run)
    this.#world.note({ kind: 'effect', run })
  }

  /** True if the handler gives up over it. Some handlers go on as if nothing were wrong. */
  async #payInStep(control: Control, run: number): Promise<boolean> {
    const { chance } = this.#request
    try {
      const paidBy = await control.step(
        'pay',
        async () => {
          await this.#life.sleep(chance % 5)
          if (chance % 9 === 0) throw new Refused()
          this.#pay(run)
          await this.#life.sleep(chance % 7)
          if (chance % 11 === 0) throw new Error('The bank took the money, and its answer was lost.')
          return run
        },
        { noEffect: (error) => error instanceof Refused },
      )
      this.#hear(run, paidBy)
      return false
    } catch {
      return chance % 4 !== 0
    }
  }

  /** The effect is a row of the application's database, and is there when its transaction is committed. */
  async #payInTransaction(control: Control, run: number): Promise<boolean> {
    const { chance } = this.#request
    try {
      const paidBy = await control.transaction('pay', async (transaction: JournalTransaction) => {
        await this.#life.sleep(chance % 5)
        if (chance % 9 === 0) throw new Refused()
        await transaction.pay(() => this.#pay(run))
        // Some think for longer than a lease, with the transaction open.
        await this.#life.sleep(chance % (chance % 3 === 0 ? this.#world.plan.leaseMs * 2 : 7))
        if (chance % 11 === 0) throw new Error('The application thinks again.')
        return run
      })
      this.#hear(run, paidBy)
      return false
    } catch (error) {
      if (!isIdempotencyError(error) || error.code !== 'outcome-unknown') this.#hear(run, 0)
      return chance % 4 !== 0
    }
  }

  #hear(run: number, paidBy: number): void {
    if (this.#world.plan.journal !== 'none') this.#world.note({ kind: 'told', run, paidBy })
  }

  #end(ended: Ended): Ended {
    this.#run = ended
    this.#endedMs = this.#world.nowMs
    this.#world.note({ kind: 'ended', run: ended.run, how: ended.behaviour.how })
    return ended
  }

  get #recovery(): Recovery {
    const { recoveries } = this.#world.plan
    return recoveries[this.#life.index] ?? recoveries[0]
  }

  get #account(): string {
    return `${this.#request.key} ${this.#request.payload}`
  }

  async #findOut(signal: AbortSignal): Promise<StoredResponse | 'rerun' | 'refuse'> {
    const run = await this.#lookUp(signal)
    if (run === 'rerun' || run === 'refuse') return run
    return { kind: 'kept', status: 200, headers: [], body: Buffer.from(`run ${run}`) }
  }

  async #findOutValue(signal: AbortSignal): Promise<{ value: string } | 'rerun' | 'refuse'> {
    const run = await this.#lookUp(signal)
    return typeof run === 'number' ? { value: `run ${run}` } : run
  }

  async #lookUp(_signal: AbortSignal): Promise<number | 'rerun' | 'refuse'> {
    const world = this.#world
    const { chance, number, client } = this.#request
    await this.#life.sleep(1 + (chance % 7))
    const run = world.ledger.get(this.#account)
    const knows = client === 'probe' || chance % 4 !== 0
    const verdict = !knows ? 'refuse' : run === undefined ? 'rerun' : 'found'
    world.note({ kind: 'asked', request: number, verdict })
    if (!knows && chance % 8 === 0) throw new Error('The bank does not answer.')
    return run === undefined || !knows ? (knows ? 'rerun' : 'refuse') : run
  }

  // ---- the answer

  #answer(run: number, how: Behaviour['how'], replayed: boolean, recorded = true): void {
    const deferred = this.#life.deferralsOf(this.#request.key) !== this.#deferralsBefore
    const { name: process } = this.#life
    const undisturbed = this.#run !== undefined && this.#life.server.stalls === this.#stallsBefore
    this.#tell({
      kind: 'answer',
      request: this.#request.number,
      process,
      says: 'answered',
      ...(undisturbed && { tookMs: this.#world.nowMs - this.#endedMs }),
      run,
      how,
      replayed,
      recorded: recorded && how !== 'nothing' && !deferred && this.#run?.token !== 0,
    })
  }

  #refuse(code: string): void {
    const says = refusals.find((refusal) => refusal === code)
    if (says === undefined) throw new Error(`An answer that no client of this world expects: ${code}.`)
    const undisturbed = this.#run === undefined && this.#life.server.stalls === this.#stallsBefore
    const tookMs = this.#world.nowMs - this.#arrivedMs
    const { name: process } = this.#life
    this.#tell({
      kind: 'answer',
      request: this.#request.number,
      process,
      says,
      ...(undisturbed && { tookMs }),
    })
  }

  #tell(answer: Answer): void {
    this.#world.note(answer)
    this.#reply(answer)
  }
}

const refusals: readonly Refusal[] = [
  'in-progress',
  'outcome-unknown',
  'key-reused',
  'store-unavailable',
  'response-not-kept',
]

const givenUp = { how: 'failed', status: 500, tooLarge: false } as const

const unprotected: Control = {
  step: async (_name, fn) => fn(),
  transaction: () => Promise.reject(new Error('Nobody asks for this.')),
  signal: new AbortController().signal,
  token: 0,
  release: () => {},
  keep: () => {},
}

function settingsOf({ plan }: World, recovery: Recovery, reconcile: Reconcile): CallSettings {
  const { leaseMs, maxRunMs, retainMs, retainUnknownMs, waitMs } = plan
  const values = {
    retain: retainMs,
    retainUnknown: retainUnknownMs,
    lease: leaseMs,
    maxRun: maxRunMs,
    concurrent: runReaders.concurrent(waitMs > 0 ? { wait: waitMs } : 'reject', 'concurrent'),
  }
  return callSettings(values, recovery === 'reconcile' ? reconcile : recovery)
}
