import { setTimeout as sleep } from 'node:timers/promises'
import { answerOf, brief, refused, statusOf, succeeded } from './answers.ts'
import type { Budget } from './budget.ts'
import { differences } from './compare.ts'
import { readProbeCount, witnessOf } from './effects.ts'
import type { Facts } from './facts.ts'
import type { Finding, Severity } from './model.ts'
import { makeRequest, type Wanted, withBody } from './requests.ts'
import type { Target } from './target.ts'
import type { Connection } from './wire/connection.ts'
import type { Exchange, Request } from './wire/message.ts'
import type { Abandoned, Race, RaceOptions, Transport } from './wire/transport.ts'

/** What all trials of one run share. */
export type Lab = {
  readonly target: Target
  readonly facts: Facts
  readonly transport: Transport
  readonly budget: Budget
  /** Every exchange of the run with the target itself, for rows that look at all of them. */
  readonly log: Exchange[]
  readonly card: Map<string, string>
  readonly rounds: number
  /** How many duplicates CON-06 sends at once. */
  readonly crowd: number
  readonly long: boolean
  acceptedChange(): Promise<((body: Buffer) => Buffer) | undefined>
}

/** A case that cannot be judged this time, and why. */
export class Inconclusive extends Error {}

/** A case that does not apply to this target, and why. */
export class NotApplicable extends Error {}

/** One run of one case: sends requests, counts effects, and collects what was wrong. */
export class Trial {
  readonly lab: Lab
  readonly target: Target
  readonly facts: Facts
  readonly findings: Finding[] = []
  readonly notes: string[] = []
  readonly exchanges: Exchange[] = []
  reported = false
  raceShown: readonly Exchange[] | undefined
  readonly #markers = new Set<string>()
  readonly #witnesses = new Set<string>()
  #baseline = 0
  #parent: Trial | undefined

  private constructor(lab: Lab) {
    this.lab = lab
    this.target = lab.target
    this.facts = lab.facts
  }

  static async begin(lab: Lab): Promise<Trial> {
    const trial = new Trial(lab)
    await trial.#readBaseline()
    return trial
  }

  /** A trial inside this one, with its own count of effects; findings and exchanges go to this one. */
  async part(): Promise<Trial> {
    const trial = new Trial(this.lab)
    trial.#parent = this
    await trial.#readBaseline()
    return trial
  }

  /**
   * Runs `count` parts, side by side where the count of effects allows it. After one that throws no further
   * one begins, and those under way end first: a case that is over has nothing in flight.
   */
  async rounds(
    count: number,
    width: number,
    run: (part: Trial, round: number) => Promise<void>,
  ): Promise<void> {
    const shared = this.target.probe !== undefined && !this.target.probe.perMarker
    const lanes = shared ? 1 : width
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < count) {
        const round = next
        next += 1
        try {
          await run(await this.part(), round)
        } catch (error) {
          next = count
          throw error
        }
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: Math.min(lanes, count) }, lane))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  request(wanted: Wanted = {}): Request {
    return makeRequest(this.target, this.facts, wanted)
  }

  /** A request for the slow operation, or the ordinary one where the target has no knob for it. */
  slow(wanted: Wanted = {}): Request {
    return this.target.slow === undefined
      ? this.request(wanted)
      : this.request({ slowMs: this.target.slowMs, ...wanted })
  }

  async send(request: Request): Promise<Exchange> {
    this.#announce(request)
    return this.#record(await this.lab.transport.send(request))
  }

  async sendOn(connection: Connection, request: Request): Promise<Exchange> {
    this.#announce(request)
    return this.#record(await this.lab.transport.sendOn(connection, request))
  }

  async trickle(request: Request, bytesPerSecond: number, totalMs: number): Promise<Exchange> {
    this.#announce(request)
    return this.#record(await this.lab.transport.trickle(request, bytesPerSecond, totalMs))
  }

  async abandon(request: Request, after: number | 'first-byte'): Promise<Abandoned> {
    this.#announce(request)
    const abandoned = await this.lab.transport.abandon(request, after)
    this.#record(abandoned.exchange)
    return abandoned
  }

  connect(request: Request): Promise<Connection> {
    this.#announce(request)
    return this.lab.transport.connect(request)
  }

  /** Counts requests that are sent by other means (HTTP/2), before they are. */
  announce(request: Request): void {
    this.#announce(request)
  }

  record(exchange: Exchange): Exchange {
    return this.#record(exchange)
  }

  async race(requests: readonly Request[], options: RaceOptions = {}): Promise<Race> {
    for (const request of requests) this.#announce(request)
    const race = await this.lab.transport.race(requests, options)
    for (const exchange of race.exchanges) this.#record(exchange)
    return race
  }

  /** A race that is one: tried up to three times until two requests were whole before any answer began. */
  async provenRace(make: () => readonly Request[], options: RaceOptions = {}): Promise<Race> {
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const race = await this.race(make(), options)
      if (race.overlapped) return race
    }
    throw new Inconclusive('no two requests could be proven to overlap in three tries')
  }

  /** Which exchanges the report's diagram shows. */
  showRace(exchanges: readonly Exchange[]): void {
    const top = this.#parent ?? this
    top.raceShown ??= exchanges
  }

  /** Effects since this trial began, by probe where there is one, by distinct witnesses otherwise. */
  async effects(settleMs = 0): Promise<number> {
    if (this.target.probe === undefined) return this.#witnesses.size
    if (settleMs > 0) await sleep(settleMs)
    const counted = this.target.probe.perMarker
      ? await this.#countMarkers()
      : (await readProbeCount(this.target, this.lab.transport, '')) - this.#baseline
    // A probe that lags or misses some is corrected by two different witnesses, which prove two executions.
    return Math.max(counted, this.#witnesses.size)
  }

  /** Effects, waiting for a slow probe to reach the number that ought to come. */
  async effectsReaching(count: number, limitMs = 2000): Promise<number> {
    const until = Date.now() + limitMs
    let seen = await this.effects()
    while (seen < count && this.target.probe !== undefined && Date.now() < until) {
      await sleep(100)
      seen = await this.effects()
    }
    return seen
  }

  witness(exchange: Exchange): string | undefined {
    return witnessOf(exchange, this.facts.witness)
  }

  /** True when the answer is a success that carries another answer's witness or its very body. */
  sameOutcome(a: Exchange, b: Exchange): boolean {
    if (!succeeded(a) || !succeeded(b)) return false
    const left = this.witness(a)
    const right = this.witness(b)
    if (left !== undefined && right !== undefined) return left === right
    return answerOf(a)?.body.equals(answerOf(b)?.body ?? Buffer.alloc(0)) ?? false
  }

  /** The same key with one value of the body changed to another that the target accepts. */
  async changed(request: Request): Promise<Request> {
    const change = await this.lab.acceptedChange()
    if (change === undefined || request.body === undefined) {
      throw new Inconclusive('no changed body was found that the target accepts; give one with --other-data')
    }
    return withBody(this.target, request, change(request.body))
  }

  note(text: string): void {
    const top = this.#parent ?? this
    if (!top.notes.includes(text)) top.notes.push(text)
  }

  /** A choice the sources leave open: the row reports it and does not judge it. */
  report(text: string): void {
    const top = this.#parent ?? this
    top.reported = true
    this.note(text)
  }

  /** Puts a line on the behaviour card, and in this case's report. */
  card(field: string, value: string): void {
    this.lab.card.set(field, value)
    this.note(`${field}: ${value}`)
  }

  find(severity: Severity, got: string, expected: string, exchanges: readonly Exchange[]): void {
    const top = this.#parent ?? this
    top.findings.push({ severity, got, expected, exchanges })
  }

  fault(got: string, expected: string, exchanges: readonly Exchange[]): void {
    this.find('fault', got, expected, exchanges)
  }

  warn(got: string, expected: string, exchanges: readonly Exchange[]): void {
    this.find('warning', got, expected, exchanges)
  }

  /** Stops the case when a plain request, which must work for the case to mean anything, does not. */
  need(exchange: Exchange, what: string): void {
    if (!succeeded(exchange)) throw new Inconclusive(`${what} was not accepted: ${brief(exchange)}`)
  }

  /** The second answer must be the first one again. Returns whether it was. */
  expectReplay(first: Exchange, again: Exchange, what: string): boolean {
    const left = answerOf(first)
    const right = answerOf(again)
    if (left === undefined || right === undefined) {
      this.fault(`${what}: ${brief(again)}`, `the first answer again (${brief(first)})`, [first, again])
      return false
    }
    const found = differences(left, right, this.target.options.ignoreHeaders ?? [])
    const grave = left.status !== right.status || !left.body.equals(right.body)
    if (grave)
      this.fault(`${what}: ${found.join('; ')}`, `the first answer again (${brief(first)})`, [first, again])
    return !grave
  }

  /** The count of effects must be exactly this. Returns whether it was. */
  async expectEffects(
    count: number,
    what: string,
    exchanges: readonly Exchange[],
    settleMs = 0,
  ): Promise<boolean> {
    const seen = settleMs > 0 ? await this.effects(settleMs) : await this.effectsReaching(count)
    if (seen === count) return true
    const by = this.target.probe === undefined ? ' (distinct witnesses)' : ' (probe)'
    this.fault(`${what}: ${plural(seen)}${by}`, plural(count), exchanges)
    return false
  }

  inconclusive(reason: string): never {
    throw new Inconclusive(reason)
  }

  notApplicable(reason: string): never {
    throw new NotApplicable(reason)
  }

  #announce(request: Request): void {
    this.#watch(request.marker)
    if (!isEffectful(request.method)) return
    this.lab.budget.reserve(1)
  }

  #watch(marker: string): void {
    this.#markers.add(marker)
    const parent = this.#parent
    if (parent !== undefined) parent.#watch(marker)
  }

  #record(exchange: Exchange): Exchange {
    const known = this.#see(exchange)
    const parent = this.#parent
    if (parent !== undefined) parent.#see(exchange)
    const top = parent ?? this
    top.exchanges.push(exchange)
    this.lab.log.push(exchange)
    if (isEffectful(exchange.request.method) && (known || ranNothing(exchange))) this.lab.budget.release()
    return exchange
  }

  /** Remembers the witness; says whether it had been seen, which makes the answer a replay. */
  #see(exchange: Exchange): boolean {
    if (!isEffectful(exchange.request.method) || !succeeded(exchange)) return false
    const witness = this.witness(exchange)
    if (witness === undefined) return false
    const known = this.#witnesses.has(witness)
    this.#witnesses.add(witness)
    return known
  }

  async #readBaseline(): Promise<void> {
    if (this.target.probe === undefined || this.target.probe.perMarker) return
    this.#baseline = await readProbeCount(this.target, this.lab.transport, '')
  }

  async #countMarkers(): Promise<number> {
    const counts = await Promise.all(
      [...this.#markers].map((marker) => readProbeCount(this.target, this.lab.transport, marker)),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }
}

function plural(effects: number): string {
  return effects === 0 ? 'no effect' : effects === 1 ? 'one effect' : `${effects} effects`
}

function isEffectful(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
}

function ranNothing(exchange: Exchange): boolean {
  if (refused(exchange)) return true
  if (exchange.result.kind === 'none') return exchange.result.code === 'ECONNREFUSED'
  return statusOf(exchange) === 503
}
