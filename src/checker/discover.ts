import { randomUUID } from 'node:crypto'
import { brief, headerOf, jsonOf, refused, statusOf, succeeded } from './answers.ts'
import { CannotTest } from './cannot-test.ts'
import { witnessOf } from './effects.ts'
import type { Facts } from './facts.ts'
import { leaves } from './json.ts'
import { withKeyLines } from './requests.ts'
import { readWitness, type Target, type Witness } from './target.ts'
import { type Lab, Trial } from './trial.ts'
import type { Exchange } from './wire/message.ts'

export function unknownFacts(target: Target): Facts {
  const form = target.options.keyForm ?? 'auto'
  const quoted = target.key.kind === 'header' && form !== 'raw'
  return {
    witness: target.options.witness === undefined ? undefined : readWitness(target.options.witness),
    witnessGuessed: false,
    keyForm: quoted ? 'quoted' : 'raw',
    rawKeys: !quoted,
    keyRequired: target.options.keyRequired ?? false,
    http2: undefined,
    requestMs: 0,
    slowMs: undefined,
    serial: false,
    stopped: false,
    change: undefined,
  }
}

/**
 * Sends the few requests without which nothing can be judged: is the target there, does the request succeed,
 * what tells two executions apart, which form of key is taken, is a key required. Throws `CannotTest`.
 */
export async function discover(lab: Lab): Promise<void> {
  const { facts, target } = lab
  const trial = await Trial.begin(lab)
  const first = await firstAccepted(trial)
  facts.requestMs = first.endedAt - first.sentAt
  await findWitness(trial, first)
  if (target.key.kind === 'header' && facts.keyForm === 'quoted') facts.rawKeys = await takesRawKeys(trial)
  if (target.options.keyRequired === undefined) facts.keyRequired = await needsKey(trial)
}

async function firstAccepted(trial: Trial): Promise<Exchange> {
  const { facts, target } = trial
  const first = await trial.send(trial.request())
  if (first.result.kind === 'none') throw new CannotTest(unreachable(target, first))
  if (isRedirect(first)) {
    const to = headerOf(first, 'location') ?? 'nowhere'
    throw new CannotTest(
      `${where(target)} answered ${statusOf(first)}, a redirect to ${to}. Give that URL instead.`,
    )
  }
  if (succeeded(first)) return first
  if (facts.keyForm === 'quoted' && target.options.keyForm !== 'quoted' && refused(first)) {
    facts.keyForm = 'raw'
    const raw = await trial.send(trial.request())
    if (succeeded(raw)) {
      facts.rawKeys = true
      return raw
    }
    facts.keyForm = 'quoted'
  }
  throw new CannotTest(
    `${where(target)} answered ${brief(first)}. The checker needs a request that succeeds: see --data, -H and --method.`,
  )
}

async function findWitness(trial: Trial, first: Exchange): Promise<void> {
  const { facts, target } = trial
  if (facts.witness !== undefined) {
    if (target.probe === undefined && witnessOf(first, facts.witness) === undefined) {
      throw new CannotTest(`The answer has nothing at the witness ${target.options.witness}: ${brief(first)}`)
    }
    return
  }
  const other = await trial.send(otherKey(trial, first))
  const again = await trial.send(first.request)
  facts.witness = guessWitness(first, other, again)
  facts.witnessGuessed = facts.witness !== undefined
  if (facts.witness !== undefined || target.probe !== undefined) return
  throw new CannotTest(noWitness(first, other))
}

function otherKey(trial: Trial, first: Exchange): Exchange['request'] {
  const key = `"${randomUUID()}"`
  if (trial.target.key.kind === 'member')
    return trial.request({ body: first.request.body ?? Buffer.alloc(0) })
  const form = trial.facts.keyForm === 'quoted' ? key : key.slice(1, -1)
  return withKeyLines(trial.target, first.request, [form])
}

/** What differs between two executions of one body, preferring what a repeat leaves alone. */
function guessWitness(first: Exchange, other: Exchange, again: Exchange): Witness | undefined {
  const candidates = [...pointerCandidates(first), ...headerCandidates(first)].filter(
    ({ witness, value }) => {
      const elsewhere = witnessOf(other, witness)
      return elsewhere !== undefined && elsewhere !== value && !echoes(first, value)
    },
  )
  const ranked = candidates.map(({ witness, value }) => ({
    witness,
    rank: rank(witness, value) + (witnessOf(again, witness) === value ? 100 : 0),
  }))
  return ranked.toSorted((a, b) => b.rank - a.rank)[0]?.witness
}

type Candidate = { readonly witness: Witness; readonly value: string }

function pointerCandidates(exchange: Exchange): Candidate[] {
  const json = jsonOf(exchange)
  if (json === undefined) return []
  return leaves(json).map(({ pointer, value }) => ({
    witness: { kind: 'pointer', pointer },
    value: String(value),
  }))
}

function headerCandidates(exchange: Exchange): Candidate[] {
  return ['Location', 'Content-Location', 'ETag'].flatMap((name): Candidate[] => {
    const value = headerOf(exchange, name)
    return value === undefined ? [] : [{ witness: { kind: 'header', name }, value }]
  })
}

function rank(witness: Witness, value: string): number {
  if (witness.kind === 'header') return witness.name === 'Location' ? 40 : 10
  const name = witness.pointer.slice(witness.pointer.lastIndexOf('/') + 1).toLowerCase()
  const depth = witness.pointer.split('/').length
  if (/^\d{4}-\d\d-\d\dT|^1[6-9]\d{8,11}$/.test(value)) return 1
  if (/^(request|trace|correlation)/.test(name)) return 0
  if (/^_?id$|^uuid$/.test(name)) return 60 - depth
  if (/_?id$|number|reference|^no$/.test(name)) return 50 - depth
  return 20 - depth
}

function echoes(exchange: Exchange, value: string): boolean {
  if (value.length < 4) return false
  const key = exchange.request.headers.some(([, line]) => line.includes(value))
  return key || (exchange.request.body?.includes(value) ?? false)
}

/** A UUID that begins with a digit and one that begins with a letter: parsers tell them apart (SYN-11). */
async function takesRawKeys(trial: Trial): Promise<boolean> {
  for (const start of ['7', 'c']) {
    const answer = await trial.send(trial.request({ keyLines: [start + randomUUID().slice(1)] }))
    if (succeeded(answer)) return true
  }
  return false
}

async function needsKey(trial: Trial): Promise<boolean> {
  return refused(await trial.send(trial.request({ keyLines: [] })))
}

function isRedirect(exchange: Exchange): boolean {
  return [301, 302, 307, 308].includes(statusOf(exchange))
}

function where(target: Target): string {
  const { secure, host, port } = target.origin
  return `${target.method} ${secure ? 'https' : 'http'}://${host}:${port}${target.path}`
}

function unreachable(target: Target, exchange: Exchange): string {
  const reason = exchange.result.kind === 'none' ? exchange.result.reason : ''
  return `${where(target)}: ${reason}.`
}

function noWitness(first: Exchange, other: Exchange): string {
  const advice =
    'Say what tells two executions apart with --witness (a JSON pointer such as /id, or a header such as Location), or give a counter with --probe.'
  if (jsonOf(first) === undefined) {
    return `The answer is not JSON and has no Location, so two executions cannot be told apart: ${brief(first)}. ${advice}`
  }
  return `Two requests under different keys got answers that do not differ in anything (${brief(first)}; ${brief(other)}). Either the endpoint deduplicates by content, or its answer has no identifier. ${advice} {{uuid}} in --data makes each body unique.`
}
