import { performance } from 'node:perf_hooks'
import { succeeded } from './answers.ts'
import { Budget, OverBudget } from './budget.ts'
import { CannotTest } from './cannot-test.ts'
import { availableCapabilities, howToEnable } from './capabilities.ts'
import { allCases } from './cases/index.ts'
import { possibleChanges } from './changes.ts'
import { discover, unknownFacts } from './discover.ts'
import { readProbeCount } from './effects.ts'
import type { Facts } from './facts.ts'
import type { BehaviourCard, Capability, Case, CaseResult, Profile, Verdict } from './model.ts'
import { chosenBy } from './profiles.ts'
import { withBody } from './requests.ts'
import { readTarget, readUrl, type Target, type TargetOptions } from './target.ts'
import { Inconclusive, type Lab, NotApplicable, Trial } from './trial.ts'
import { Http2Connection } from './wire/http2.ts'
import type { Exchange } from './wire/message.ts'
import { Transport } from './wire/transport.ts'

export type CheckOptions = TargetOptions & {
  /** Default `core`. */
  readonly profile?: Profile
  /** Row ids or classes (`CON`, `SYN-06`), instead of a profile. */
  readonly only?: readonly string[]
  /** Row ids or classes left out. */
  readonly skip?: readonly string[]
  /** Never more executions than this; default 300. */
  readonly maxEffects?: number
  /** Also rows that need an operation longer than 5 s, or a minute's wait. */
  readonly long?: boolean
  /** Cases side by side; default 8, 1 with a probe that counts everybody's effects. */
  readonly jobs?: number
  /** Rounds of CON-01; default 20. */
  readonly rounds?: number
}

export type Progress =
  | { readonly kind: 'discovered'; readonly facts: Facts; readonly total: number }
  | { readonly kind: 'started'; readonly case: Case }
  | { readonly kind: 'finished'; readonly result: CaseResult; readonly done: number; readonly total: number }

export type CheckReport = {
  readonly target: Target
  readonly facts: Facts
  readonly profile: Profile | 'chosen rows'
  readonly results: readonly CaseResult[]
  readonly card: BehaviourCard
  readonly effects: { readonly used: number; readonly max: number }
  readonly startedAt: Date
  readonly durationMs: number
}

/** Checks one target. Throws `CannotTest`, with a sentence for the user, when there is nothing to judge. */
export async function runCheck(
  options: CheckOptions,
  onProgress: (progress: Progress) => void = () => undefined,
): Promise<CheckReport> {
  const startedAt = new Date()
  const begun = performance.now()
  const cases = chosenBy(allCases, options)
  const lab = prepare(options)
  await discover(lab)
  if (lab.target.probe !== undefined) await readProbeCount(lab.target, lab.transport, 'hx-none')
  await findHttp2(lab)
  onProgress({ kind: 'discovered', facts: lab.facts, total: cases.length })
  const results = await runAll(lab, cases, options, onProgress)
  return {
    target: lab.target,
    facts: lab.facts,
    profile: options.only === undefined ? (options.profile ?? 'core') : 'chosen rows',
    results,
    card: Object.fromEntries(lab.card),
    effects: { used: lab.budget.used, max: lab.budget.max },
    startedAt,
    durationMs: performance.now() - begun,
  }
}

function prepare(options: CheckOptions): Lab {
  const target = readTarget(options)
  const facts = unknownFacts(target)
  const limits = { connectMs: 5000, answerMs: options.timeoutMs ?? 15_000, maxBytes: 64 * 1024 * 1024 }
  const trust = { insecure: options.insecure ?? false, ca: options.ca }
  const transport = new Transport({ trust, limits })
  let accepted: Promise<Lab['facts']['change']> | undefined
  const lab: Lab = {
    target,
    facts,
    transport,
    budget: new Budget(options.maxEffects ?? 300),
    log: [],
    card: new Map(),
    rounds: options.rounds ?? 20,
    crowd: options.profile === 'full' || options.long === true ? 500 : 50,
    long: options.long ?? false,
    acceptedChange: () => {
      accepted ??= findChange(lab)
      return accepted
    },
  }
  return lab
}

/** The first way of changing the body that the target takes under a fresh key. */
async function findChange(lab: Lab): Promise<Facts['change']> {
  for (const change of possibleChanges(lab.target)) {
    const trial = await Trial.begin(lab)
    const request = trial.request()
    if (request.body === undefined) return undefined
    const answer = await trial.send(withBody(lab.target, request, change(request.body)))
    if (succeeded(answer)) {
      lab.facts.change = change
      return change
    }
  }
  return undefined
}

async function findHttp2(lab: Lab): Promise<void> {
  const { options, origin } = lab.target
  const own = origin.secure ? options.url : undefined
  const url = options.http2Url ?? own
  if (url === undefined) return
  const base = readUrl(url, 'The HTTP/2 URL')
  const connection = await Http2Connection.open(base, lab.transport)
  if (typeof connection === 'string') {
    if (options.http2Url !== undefined)
      throw new CannotTest(`${options.http2Url} does not speak HTTP/2: ${connection}.`)
    return
  }
  connection.close()
  lab.facts.http2 = base
}

/** Calibration first, then everything that can go side by side, then what stops or starves the target. */
async function runAll(
  lab: Lab,
  cases: readonly Case[],
  options: CheckOptions,
  onProgress: (progress: Progress) => void,
): Promise<CaseResult[]> {
  const results = new Map<string, CaseResult>()
  const capabilities = availableCapabilities(lab)
  const shared = lab.target.probe !== undefined && !lab.target.probe.perMarker
  const jobs = shared ? 1 : (options.jobs ?? 8)
  const runOne = async (one: Case): Promise<void> => {
    onProgress({ kind: 'started', case: one })
    const blocked = uncalibrated(one, results)
    const result = blocked ?? (await judge(lab, one, capabilities))
    results.set(one.id, result)
    onProgress({ kind: 'finished', result, done: results.size, total: cases.length })
  }
  const calibration = cases.filter((one) => one.level === 'METHOD')
  const last = cases.filter((one) => one.last === true)
  const alone = cases.filter((one) => one.alone === true)
  const rest = cases.filter((one) => one.level !== 'METHOD' && one.last !== true && one.alone !== true)
  await pool(calibration, jobs, runOne)
  await pool(
    rest.toSorted((a, b) => (b.seconds ?? 1) - (a.seconds ?? 1)),
    jobs,
    runOne,
  )
  await pool(alone, 1, runOne)
  await pool(last, 1, runOne)
  return cases.flatMap((one) => results.get(one.id) ?? [])
}

async function pool(cases: readonly Case[], jobs: number, run: (one: Case) => Promise<void>): Promise<void> {
  const queue = [...cases]
  const lane = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await run(one)
  }
  await Promise.all(Array.from({ length: Math.min(jobs, cases.length) }, lane))
}

function uncalibrated(one: Case, results: ReadonlyMap<string, CaseResult>): CaseResult | undefined {
  if (one.level === 'METHOD') return undefined
  for (const id of ['CAL-01', 'CAL-02']) {
    const result = results.get(id)
    if (result?.verdict === 'inconclusive') {
      return unjudged(one, 'inconclusive', `${id} did not hold: ${result.summary}`)
    }
  }
  return undefined
}

async function judge(lab: Lab, one: Case, capabilities: ReadonlySet<Capability>): Promise<CaseResult> {
  const missing = one.needs.find((need) => !capabilities.has(need))
  if (missing !== undefined) return unjudged(one, 'skipped', howToEnable[missing])
  const begun = performance.now()
  const trial = await Trial.begin(lab)
  let ending: { verdict: 'inconclusive' | 'skipped'; why: string } | undefined
  try {
    await one.run(trial)
  } catch (error) {
    ending = endingOf(error)
  }
  const durationMs = performance.now() - begun
  if (!stopsTarget(one) && trial.exchanges.some(foundNobody)) {
    lab.facts.stopped = true
    return conclude(one, trial, withoutTarget(trial), durationMs)
  }
  return conclude(one, trial, ending, durationMs)
}

/** Rows whose hooks take the target away for a while. */
function stopsTarget({ needs }: Case): boolean {
  return needs.some((need) => need === 'restart' || need === 'kill' || need === 'terminate')
}

function foundNobody({ result }: Exchange): boolean {
  return result.kind === 'none' && result.code === 'ECONNREFUSED'
}

/** Nobody there is no answer to judge: only what was seen before counts. */
function withoutTarget(trial: Trial): Ending {
  const seen = trial.findings.filter(({ exchanges }) => exchanges.length > 0 && !exchanges.some(foundNobody))
  trial.findings.splice(0, trial.findings.length, ...seen)
  return { verdict: 'inconclusive', why: 'the target stopped taking connections: did it crash?' }
}

type Ending = { verdict: 'inconclusive' | 'skipped'; why: string }

function endingOf(error: unknown): Ending {
  if (error instanceof Inconclusive) return { verdict: 'inconclusive', why: error.message }
  if (error instanceof NotApplicable) return { verdict: 'skipped', why: error.message }
  if (error instanceof OverBudget) return { verdict: 'skipped', why: error.message }
  const message = error instanceof Error ? error.message : String(error)
  return { verdict: 'inconclusive', why: message }
}

function conclude(one: Case, trial: Trial, ending: Ending | undefined, durationMs: number): CaseResult {
  const { findings, notes, exchanges } = trial
  const grave = findings.filter((finding) => finding.severity === 'fault')
  const main = grave[0] ?? findings[0]
  const base = { case: one, findings, notes, exchanges, race: trial.raceShown, durationMs }
  if (main !== undefined) {
    const verdict = grave.length > 0 ? verdictOfFault(one) : 'warn'
    const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''
    return { ...base, verdict, summary: main.got + more }
  }
  if (ending !== undefined) return { ...base, verdict: ending.verdict, summary: ending.why }
  const verdict: Verdict = trial.reported ? 'report' : 'pass'
  return { ...base, verdict, summary: notes.join('; ') }
}

/** A MAY row has no finding but what is forbidden whatever is chosen, so a finding there is a failure. */
function verdictOfFault(one: Case): Verdict {
  if (one.level === 'METHOD') return 'inconclusive'
  return one.safety || one.level === 'MUST' || one.level === 'MAY' ? 'fail' : 'warn'
}

function unjudged(one: Case, verdict: 'inconclusive' | 'skipped', summary: string): CaseResult {
  const empty: readonly Exchange[] = []
  return {
    case: one,
    verdict,
    summary,
    findings: [],
    notes: [],
    exchanges: empty,
    race: undefined,
    durationMs: 0,
  }
}
