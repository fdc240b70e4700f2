import type { Happening, HistoryEntry } from '../checker/history.ts'
import type { Plan } from './plan.ts'
import { mixed } from './random.ts'
import { Scheduler } from './scheduler.ts'

/** What all parts of one simulated world share. */
export class World {
  readonly plan: Plan
  readonly scheduler = new Scheduler()
  readonly history: HistoryEntry[] = []
  /** How often each kind of fault was injected. */
  readonly faults = new Map<string, number>()
  /** Names of the single message faults, for shrinking. */
  readonly messageFaults: string[] = []
  /** What went wrong in a way that no application expects: always a defect. */
  readonly surprises: string[] = []
  /** Which run had the effect that a client asked for, as the bank knows it. */
  readonly ledger = new Map<string, number>()
  readonly #tell: ((line: string) => void) | undefined
  #requests = 0
  #runs = 0

  /** `tell` gets every event as a line of the story. */
  constructor(plan: Plan, tell?: (line: string) => void) {
    this.plan = plan
    this.#tell = tell
  }

  get nowMs(): number {
    return this.scheduler.nowMs
  }

  get healed(): boolean {
    return this.scheduler.nowMs >= this.plan.healMs
  }

  nextRequest(): number {
    this.#requests += 1
    return this.#requests
  }

  nextRun(): number {
    this.#runs += 1
    return this.#runs
  }

  /** Chance that depends on what it is for, and not on what else happens in the world. */
  chance(...about: readonly number[]): number {
    return mixed(this.plan.seed, ...about)
  }

  note(happening: Happening): void {
    this.history.push({ atMs: this.nowMs, ...happening })
    this.tell(() => describe(happening))
  }

  tell(line: () => string): void {
    this.#tell?.(`${String(this.nowMs).padStart(7)} ms  ${line()}`)
  }

  fault(kind: string, line?: () => string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
    if (line !== undefined) this.tell(() => `~ ${line()}`)
  }
}

function describe(happening: Happening): string {
  switch (happening.kind) {
    case 'request':
      return `${happening.client} sends request ${happening.request}: key ${happening.key}, payload "${happening.payload}"`
    case 'run':
      return `${happening.process} starts run ${happening.run} for request ${happening.request}, token ${happening.token}`
    case 'asked':
      return `the application is asked about request ${happening.request} and says "${happening.verdict}"`
    case 'effect':
      return `run ${happening.run} has its EFFECT`
    case 'told':
      return happening.paidBy === 0
        ? `run ${happening.run} is told that its transaction was rolled back`
        : `run ${happening.run} is told that run ${happening.paidBy} has paid`
    case 'ended':
      return `run ${happening.run} ends: ${happening.how}`
    case 'answer':
      return `${happening.process} answers request ${happening.request}: ${answerText(happening)}`
    case 'settled':
      return `an operator: key ${happening.key} is ${happening.how}`
    case 'forgot':
      return 'the store forgets everything'
    case 'cleaned':
      return `the journal's cleaner deletes what it kept of key ${happening.key}`
    case 'crashed':
      return `${happening.process} crashes`
    case 'started':
      return `${happening.process} starts`
    case 'closing':
      return `${happening.process} is told to end`
  }
}

function answerText(answer: Happening & { readonly kind: 'answer' }): string {
  if (answer.says !== 'answered') return answer.says
  const { run, how, replayed, recorded } = answer
  return `the ${how} answer of run ${run}${replayed ? ', replayed' : ''}${recorded ? '' : ', not recorded'}`
}
