// Requests under load while their store breaks, and an account of what they did.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isIdempotencyError } from '../../src/core/errors.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import type { Store } from '../../src/core/store.ts'

export interface Account {
  /** How often each key's effect happened. */
  readonly effects: ReadonlyMap<string, number>
  /** When each key's effect first happened, by `performance.now()`. */
  readonly firstEffectMs: ReadonlyMap<string, number>
  /** Keys whose caller was told of success, with what it was told. */
  readonly told: ReadonlyMap<string, string>
  readonly slowestMs: number
  /** How often each kind of answer was given. */
  readonly answers: ReadonlyMap<string, number>
}

export interface Load {
  /** Sends one request with a fresh key; resolves to the answer's kind. */
  tryOnce(): Promise<string>
  /** Sends fresh requests until one is answered with success; resolves to how long that took. */
  untilServed(): Promise<number>
  /** Ends the load, sends every key again, and gives the account. */
  finish(): Promise<Account>
}

export const handlerMs = 5
export const storeTimeoutMs = 400

export function startLoad(store: Store, callers = 10, storeTimeout = storeTimeoutMs): Load {
  const once = idempotencyOver({ store, storeTimeout, on: () => {} }, () => store)
  const effects = new Map<string, number>()
  const firstEffectMs = new Map<string, number>()
  const told = new Map<string, string>()
  const answers = new Map<string, number>()
  let slowestMs = 0
  const state = { ended: false }

  const request = async (key: string): Promise<string> => {
    const startMs = performance.now()
    const answer = await answerOf(key)
    slowestMs = Math.max(slowestMs, performance.now() - startMs)
    answers.set(answer, (answers.get(answer) ?? 0) + 1)
    return answer
  }
  const answerOf = async (key: string): Promise<string> => {
    try {
      const receipt = await once.run({ key, scope: false, payload: key, lease: '2s' }, async () => {
        effects.set(key, (effects.get(key) ?? 0) + 1)
        if (!firstEffectMs.has(key)) firstEffectMs.set(key, performance.now())
        await sleep(handlerMs)
        return randomUUID()
      })
      const before = told.get(key)
      if (before !== undefined && before !== receipt) return 'another answer than before'
      told.set(key, receipt)
      return 'success'
    } catch (error) {
      return isIdempotencyError(error) ? error.code : String(error)
    }
  }

  const keys: string[] = []
  const call = async (): Promise<void> => {
    while (!state.ended) {
      const key = randomUUID()
      keys.push(key)
      const answer = await request(key)
      // As a client would: the same key again, a little later.
      if (answer !== 'success') {
        await sleep(20)
        await request(key)
      }
    }
  }
  const running = Promise.all(Array.from({ length: callers }, call))

  return {
    tryOnce: () => request(randomUUID()),
    untilServed: async () => {
      const startMs = performance.now()
      // A new one every few milliseconds: one that was sent too early must not hold up the measurement.
      return new Promise((resolve) => {
        const timer = setInterval(() => {
          void request(randomUUID()).then((answer) => {
            if (answer !== 'success') return
            clearInterval(timer)
            resolve(performance.now() - startMs)
          })
        }, 25)
      })
    },
    finish: async () => {
      state.ended = true
      await running
      await Promise.all(keys.map(request))
      await once.close({ graceMs: 2_000 })
      return { effects, firstEffectMs, told, slowestMs, answers }
    },
  }
}
