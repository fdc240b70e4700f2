// What must hold when real processes die, stall and come back, whichever store they share.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Server, Site } from './processes.ts'

const settled = (answer: Answer) => answer.code !== 'in-progress'

/** @param store The URL of a store that processes share; default: an SQLite file of the site's own. */
export function crashCases(name: string, store?: () => string): void {
  describe(`processes on ${name}`, { timeout: 60_000 }, () => {
    let site: Site
    beforeAll(() => {
      site = new Site(store?.())
    })
    afterAll(() => site.close())

    async function crash(
      intent: string,
      at: 'before-effect' | 'after-effect' | 'after-record',
    ): Promise<void> {
      const doomed = await site.start()
      const request = { intent, accident: { signal: 'SIGKILL', at } } as const
      await expect(doomed.order(request)).rejects.toThrow('fetch failed')
      expect(await doomed.ended()).toBe('SIGKILL')
    }
    const retryOf = (intent: string, at: 'before-effect' | 'after-effect' | 'after-record') =>
      ({ intent, accident: { signal: 'SIGKILL', at } }) as const

    test.concurrent('killed before the effect: in progress for one lease, then unknown, never run again', async () => {
      await crash('a', 'before-effect')
      const server = await site.start()
      const retry = retryOf('a', 'before-effect')
      const began = Date.now()
      expect(await server.orderUntil(retry, settled)).toMatchObject({ status: 409, code: 'outcome-unknown' })
      expect(Date.now() - began).toBeLessThan(2_000)
      expect(await server.order(retry)).toMatchObject({ code: 'outcome-unknown' })
      expect(site.charges('a')).toBe(0)
    })

    test.concurrent('killed between the effect and the record: unknown, and no second charge', async () => {
      await crash('b', 'after-effect')
      const server = await site.start()
      const retry = retryOf('b', 'after-effect')
      expect(await server.orderUntil(retry, settled)).toMatchObject({ status: 409, code: 'outcome-unknown' })
      expect(site.charges('b')).toBe(1)
    })

    test.concurrent('killed after the record, before the answer: the retry gets the answer', async () => {
      await crash('c', 'after-record')
      const server = await site.start()
      const answer = await server.orderUntil(retryOf('c', 'after-record'), settled)
      expect(answer).toMatchObject({ status: 201, replayed: true })
      expect(site.charges('c')).toBe(1)
    })

    test.concurrent('a recovery function finds the charge, and its answer is kept', async () => {
      const recovery = 'ask-ledger'
      const doomed = await site.start({ recovery })
      const request = retryOf('d', 'after-effect')
      await expect(doomed.order(request)).rejects.toThrow('fetch failed')
      const server = await site.start({ recovery })
      const found = await server.orderUntil(request, settled)
      expect(found).toMatchObject({ status: 201, replayed: true, body: '{"charged":"d","found":true}' })
      expect(await server.order(request)).toEqual(found)
      expect(site.charges('d')).toBe(1)
    })

    test.concurrent('rerun after a crash before the effect: one charge, by the second attempt', async () => {
      const doomed = await site.start({ recovery: 'rerun' })
      const request = retryOf('e', 'before-effect')
      await expect(doomed.order(request)).rejects.toThrow('fetch failed')
      const server = await site.start({ recovery: 'rerun' })
      const answer = await server.orderUntil(request, settled)
      expect(answer.status).toBe(201)
      expect(JSON.parse(answer.body)).toMatchObject({ charged: 'e', attempt: 2 })
      expect(site.charges('e')).toBe(1)
    })

    test.concurrent('a record written under refuse is not run again by a deploy that says rerun', async () => {
      await crash('f', 'after-effect')
      const server = await site.start({ recovery: 'rerun' })
      const retry = retryOf('f', 'after-effect')
      expect(await server.orderUntil(retry, settled)).toMatchObject({ code: 'outcome-unknown' })
      expect(site.charges('f')).toBe(1)
    })

    test.concurrent('stalled past its lease, nobody took over: records the truth', async () => {
      const stalled = await site.start()
      const other = await site.start()
      const request = { intent: 'g', accident: { signal: 'SIGSTOP', at: 'after-effect' } } as const
      const first = stalled.order(request)
      expect(await untilClaimed(other, request)).toMatchObject({ code: 'outcome-unknown' })
      stalled.signal('SIGCONT')
      const answer = await first
      expect(answer).toMatchObject({ status: 201, replayed: false })
      expect(await other.order(request)).toEqual({ ...answer, replayed: true })
      expect(site.charges('g')).toBe(1)
    })

    test.concurrent('stalled past its lease, another took over: records nothing, and its client is told', async () => {
      const stalled = await site.start({ recovery: 'rerun' })
      const other = await site.start({ recovery: 'rerun' })
      const request = { intent: 'h', accident: { signal: 'SIGSTOP', at: 'after-effect' } } as const
      const first = stalled.order(request)
      const taken = await untilClaimed(other, request)
      expect(taken).toMatchObject({ status: 201, replayed: false })
      stalled.signal('SIGCONT')
      expect(await first).toMatchObject({ status: 409, code: 'outcome-unknown' })
      expect(await other.order(request)).toEqual({ ...taken, replayed: true })
    })

    test.concurrent('SIGTERM: the running request ends and is recorded, then the process', async () => {
      const server = await site.start()
      const request = { intent: 'i', delayMs: 400 }
      const first = server.order(request)
      await chargedOnce('i')
      server.signal('SIGTERM')
      const answer = await first
      expect(answer.status).toBe(201)
      expect(await server.ended()).toBe(0)
      const next = await site.start()
      expect(await next.order(request)).toEqual({ ...answer, replayed: true })
    })

    /** The stalled process needs a moment to claim; until then the other one would be first. */
    async function untilClaimed(other: Server, request: Parameters<Server['order']>[0]): Promise<Answer> {
      await chargedOnce(request.intent)
      return other.orderUntil(request, settled)
    }

    async function chargedOnce(intent: string): Promise<void> {
      while (site.charges(intent) === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

  describe(`two processes on ${name}`, { timeout: 60_000 }, () => {
    let site: Site
    let pair: [Server, Server]
    beforeAll(async () => {
      site = new Site(store?.())
      pair = await Promise.all([site.start({ leaseMs: 10_000 }), site.start({ leaseMs: 10_000 })])
    })
    afterAll(() => site.close())

    test('500 duplicates over both: one execution, 499 times 409', async () => {
      const request = { intent: 'many', delayMs: 3_000 }
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, index) => sendTo(pair, index, request)),
      )
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
      expect(answers.filter(({ code }) => code === 'in-progress')).toHaveLength(499)
      expect(site.charges('many')).toBe(1)
    })

    test('500 duplicates that wait: one execution, 500 times the same answer', async () => {
      const waiting = await Promise.all([site.start({ wait: true }), site.start({ wait: true })])
      const request = { intent: 'waiting', delayMs: 500 }
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, index) => sendTo(waiting, index, request)),
      )
      expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
      expect(answers[0]?.status).toBe(201)
      expect(answers.filter(({ replayed }) => replayed)).toHaveLength(499)
      expect(site.charges('waiting')).toBe(1)
    })

    test('a retry on the other process the moment the answer arrives is a replay, 200 times of 200', async () => {
      for (let round = 0; round < 200; round += 1) {
        const request = { intent: `handover-${round}` }
        const first = await sendTo(pair, round, request)
        const second = await sendTo(pair, round + 1, request)
        expect(first).toMatchObject({ status: 201, replayed: false })
        expect(second).toEqual({ ...first, replayed: true })
      }
    })
  })
}

function sendTo(
  pair: readonly [Server, Server],
  index: number,
  request: Parameters<Server['order']>[0],
): Promise<Answer> {
  return (index % 2 === 0 ? pair[0] : pair[1]).order(request)
}
