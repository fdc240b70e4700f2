import { bodyOf, broke, brief, refused, statusOf, succeeded, tally } from '../answers.ts'
import { type Wanted, withKeyLines } from '../requests.ts'
import type { Trial } from '../trial.ts'
import type { Exchange, Request } from '../wire/message.ts'

/** Judgements that several rows share. */

export type Pair = { readonly first: Exchange; readonly again: Exchange; readonly effects: number }

/** One body sent under one set of key lines, then under another. */
export async function pair(
  trial: Trial,
  linesOfFirst: readonly string[],
  linesOfSecond: readonly string[],
  wanted: Wanted = {},
): Promise<Pair> {
  const part = await trial.part()
  const request = part.request({ ...wanted, keyLines: linesOfFirst })
  const first = await part.send(request)
  const again = await part.send(withKeyLines(trial.target, request, linesOfSecond))
  const expected = [first, again].filter((exchange) => succeeded(exchange)).length
  return { first, again, effects: await part.effectsReaching(Math.min(1, expected)) }
}

/** Both spellings must be taken, and be one key. */
export function mustBeOneKey(trial: Trial, { first, again, effects }: Pair, what: string): void {
  if (!succeeded(first)) {
    trial.fault(`${what}: ${brief(first)}`, 'the request is accepted', [first])
    return
  }
  if (effects !== 1) {
    trial.fault(`${what}: ${effects} effects`, 'one effect: it is one key', [first, again])
    return
  }
  if (!succeeded(again))
    trial.fault(`${what}, repeated: ${brief(again)}`, 'the first answer again', [first, again])
}

/**
 * A malformed key: rejected for choice, or treated as no key at all. What must not happen is that it is
 * quietly deduplicated as some key, or that the server breaks on it.
 */
export async function mustNotBeAKey(trial: Trial, lines: readonly string[], what: string): Promise<void> {
  const { first, again, effects } = await pair(trial, lines, lines)
  const both = [first, again]
  if (broke(first) || broke(again)) {
    trial.fault(`${what}: ${tally(both)}`, 'a 4xx, or treatment as no key', both)
    return
  }
  if (refused(first)) {
    const status = statusOf(first)
    if (effects > 0) trial.fault(`${what}: refused with ${status}, and yet an effect`, 'no effect', both)
    else if (status !== 400 && status !== 431) trial.note(`${what}: refused with ${status} rather than 400`)
    return
  }
  if (!succeeded(first)) {
    trial.warn(`${what}: ${brief(first)}`, 'a 400', [first])
    return
  }
  if (effects === 1) {
    trial.fault(`${what} was accepted and deduplicated as a key`, 'a 400, or treatment as no key', both)
    return
  }
  if (trial.facts.keyRequired) trial.fault(`${what} ran though a key is required`, 'a 400', both)
  else trial.note(`${what}: treated as no key`)
}

/** A plain first request, whose success the rest of the case depends on. */
export async function begin(
  trial: Trial,
  wanted: Wanted = {},
): Promise<{ request: Request; first: Exchange }> {
  const request = trial.request(wanted)
  const first = await trial.send(request)
  trial.need(first, 'a plain keyed request')
  return { request, first }
}

/** A repeat that must bring the first answer and no second effect. */
export async function mustReplay(
  trial: Trial,
  first: Exchange,
  again: Exchange,
  what: string,
): Promise<void> {
  const one = await trial.expectEffects(1, what, [first, again])
  if (one) trial.expectReplay(first, again, what)
}

/** Repeats a request until it is no longer told to wait, with a limit. */
export async function settled(trial: Trial, request: Request, limitMs: number): Promise<Exchange> {
  const until = Date.now() + limitMs
  for (;;) {
    const exchange = await trial.send(request)
    if (statusOf(exchange) !== 409 || Date.now() > until) return exchange
    await pause(200)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** Latin-1 characters for the bytes of a UTF-8 text, as header values are written here. */
export function utf8Bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** No effect, no success, and nothing of the first answer. */
export async function mustBeRefused(
  trial: Trial,
  first: Exchange,
  other: Exchange,
  what: string,
): Promise<void> {
  const expected = 'a refusal (422) and no effect'
  if (trial.sameOutcome(first, other)) {
    trial.fault(`${what}: the first answer was replayed`, expected, [first, other])
    return
  }
  if (succeeded(other)) {
    trial.fault(`${what}: it ran under the same key (${brief(other)})`, expected, [first, other])
    return
  }
  if (!refused(other)) trial.fault(`${what}: ${brief(other)}`, expected, [first, other])
  const witness = trial.witness(first)
  if (witness !== undefined && witness.length > 5 && bodyOf(other).includes(witness)) {
    trial.warn(`${what}: the refusal tells of the first answer (${witness})`, 'nothing of it', [first, other])
  }
  await trial.expectEffects(1, what, [first, other], 100)
}

export function scopeOf(trial: Trial, first: Exchange, other: Exchange): string {
  if (trial.sameOutcome(first, other)) return 'the first answer'
  if (succeeded(other)) return 'a scope of its own (executes)'
  return `refused with ${statusOf(other)}`
}
