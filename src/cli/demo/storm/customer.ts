import { setTimeout as sleep } from 'node:timers/promises'
import { type ForwardedAnswer, send } from '../forward.ts'
import { demoHeaders } from '../shop/settings.ts'
import { type Click, type Purchase, randomFrom } from './plan.ts'
import { headerOf, jsonField, problemCodeOf } from './tally.ts'

/** Where a customer buys, and whether that shop is sent keys. */
export interface Shopping {
  readonly port: number
  readonly path: string
  readonly keyed: boolean
}

/** What the customer was told in the end. */
export type Ending =
  | { readonly kind: 'order'; readonly order: string }
  | { readonly kind: 'outcome-unknown' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'no-answer' }

/** Makes one purchase with all its clicks. Resolves with how each of them ended. */
export function buy(purchase: Purchase, shopping: Shopping): Promise<readonly Ending[]> {
  return Promise.all(
    purchase.clicks.map(async (click) => {
      await sleep(click.afterMs)
      return insist(purchase, click, shopping)
    }),
  )
}

async function insist(purchase: Purchase, click: Click, shopping: Shopping): Promise<Ending> {
  const chance = randomFrom(click.seed)
  const untilMs = performance.now() + giveUpAfterMs
  let lostAnswers = click.lostAnswers
  for (let attempt = 1; performance.now() < untilMs; attempt += 1) {
    const patienceMs = attempt === 1 ? click.patienceMs : laterPatienceMs
    const answer = await order(purchase, shopping, patienceMs, lostAnswers > 0)
    const ending = answer && endingOf(answer)
    if (ending !== undefined) return ending
    if (answer === undefined) lostAnswers -= 1
    await sleep(pauseMs(answer, attempt, chance()))
  }
  return { kind: 'no-answer' }
}

const laterPatienceMs = 8000
const giveUpAfterMs = 40_000

/** `undefined` where no answer came: the connection broke, or the customer's patience ended. */
async function order(
  { key, intent, workMs }: Purchase,
  { port, path, keyed }: Shopping,
  patienceMs: number,
  loseAnswer: boolean,
): Promise<ForwardedAnswer | undefined> {
  const headers = {
    'content-type': ['application/json'],
    [demoHeaders.workMs]: [String(workMs)],
    ...(keyed && { 'idempotency-key': [key] }),
    ...(loseAnswer && { [demoHeaders.fault]: ['answer-lost'] }),
  }
  const body = Buffer.from(JSON.stringify({ item: 'ticket', quantity: 1, cart: intent }))
  try {
    return await send(port, { method: 'POST', path, headers, body }, { patienceMs })
  } catch {
    return undefined
  }
}

/** `undefined` where the answer asks for another try: 409 in progress, 502, 503. */
function endingOf(answer: ForwardedAnswer): Ending | undefined {
  const { status } = answer
  if (status === 201) return { kind: 'order', order: String(jsonField(answer, 'order')) }
  const code = problemCodeOf(answer)
  if (code === 'outcome-unknown') return { kind: 'outcome-unknown' }
  if (code === 'in-progress' || status === 502 || status === 503) return undefined
  return { kind: 'refused', status }
}

function pauseMs(answer: ForwardedAnswer | undefined, attempt: number, chance: number): number {
  const retryAfter = Number((answer && headerOf(answer, 'retry-after')) ?? 0)
  const backOffMs = Math.min(50 * 2 ** attempt, 1000)
  return retryAfter * 1000 + backOffMs * (0.5 + 0.5 * chance)
}
