import { bodyOf, broke, brief, refused, statusOf, succeeded } from '../answers.ts'
import { isObject, parseJson } from '../json.ts'
import type { Case } from '../model.ts'
import { isProblem, leaksInsides, machineName, problemFaults } from '../problems.ts'
import { withBody, withCaller, withHeaders } from '../requests.ts'
import type { Trial } from '../trial.ts'
import type { Exchange } from '../wire/message.ts'
import { begin } from './judging.ts'

const consumed =
  'A request that was turned away at the door has not used its key: the client mends it and sends it again.'

export const errorCases: readonly Case[] = [
  {
    id: 'ERR-01',
    level: 'MAY',
    safety: true,
    needs: ['fixture'],
    title: 'The handler’s own refusal',
    why: 'A rejected order must have no effect, and must not be taken for the layer’s own conflict.',
    source: 'draft-07 2.6; WG issues 37, 42',
    run: async (trial) => {
      const plain = trial.request()
      const json = parseJson(plain.body?.toString('utf8') ?? '')
      const invalid = withBody(
        trial.target,
        plain,
        Buffer.from(JSON.stringify({ ...(isObject(json) ? json : {}), invalid: true })),
      )
      const first = await trial.send(invalid)
      const again = await trial.send(invalid)
      const corrected = await trial.send(plain)
      const all = [first, again, corrected]
      const stored = bodyOf(first).equals(bodyOf(again)) && !succeeded(corrected)
      trial.card('handler’s 4xx', stored ? 'stored (the corrected body needs a new key)' : 'not stored')
      trial.report(stored ? 'stored' : 'not stored')
      const effects = await trial.effects(100)
      if (effects > (succeeded(corrected) ? 1 : 0))
        trial.fault(`${effects} effects`, 'none from a rejected request', all)
      if (
        refused(corrected) &&
        machineName(corrected) === machineName(first) &&
        machineName(first) !== undefined
      ) {
        trial.warn('the layer’s refusal looks like the handler’s', 'a type or code of its own', all)
      }
    },
  },
  {
    id: 'ERR-02',
    level: 'MAY',
    safety: true,
    needs: ['fixture'],
    title: 'The handler fails before its effect',
    why: 'Kept or run again, both are done; but never two effects.',
    source: 'draft-07 2.6; WG issue 48',
    run: async (trial) => {
      const request = trial.request({ query: { fail: 'before' } })
      const first = await trial.send(request)
      const again = await trial.send(request)
      const kept = bodyOf(first).equals(bodyOf(again))
      trial.card(
        'handler’s 5xx',
        kept ? 'stored and replayed' : `run again${statusOf(again) === 409 ? ' (refused: 409)' : ''}`,
      )
      trial.report(kept ? 'the failure is replayed' : 'the handler runs again')
      const effects = await trial.effects(100)
      if (effects > 1) trial.fault(`${effects} effects`, 'at most one', [first, again])
    },
  },
  {
    id: 'ERR-03',
    level: 'BEYOND',
    safety: true,
    needs: ['fixture', 'probe'],
    title: 'The handler fails after its effect',
    why: 'The charge is made, then the e-mail fails: 500. If the key is freed, the retry charges again.',
    source: 'safety',
    seconds: 2,
    run: async (trial) => {
      for (const [fail, what] of [
        ['after', 'an exception after the effect'],
        ['after-drop', 'a dropped connection after the effect'],
      ] as const) {
        const part = await trial.part()
        const request = part.request({ query: { fail } })
        const first = await part.send(request)
        const again = await part.send(request)
        const more = await part.send(request)
        await part.expectEffects(1, `${what}, repeated`, [first, again, more], 100)
      }
      const part = await trial.part()
      const slow = part.request({ query: { status: '504', afterMs: '300' } })
      const first = await part.send(slow)
      const again = await part.send(slow)
      await part.expectEffects(1, 'a 504 after the effect, repeated', [first, again], 100)
    },
  },
  {
    id: 'ERR-04',
    level: 'SHOULD',
    safety: true,
    needs: ['credentials'],
    title: 'Bad credentials first, good ones then',
    why: consumed,
    source: 'draft-07 2.6; Stripe',
    run: async (trial) => {
      const request = trial.request()
      const forged = await trial.send(withCaller(trial.target, request, 'forger'))
      if (succeeded(forged)) trial.inconclusive(`made-up credentials were accepted: ${brief(forged)}`)
      const good = await trial.send(request)
      if (!succeeded(good)) trial.fault(`with good credentials: ${brief(good)}`, 'a success', [forged, good])
      await trial.expectEffects(1, 'bad credentials, then good', [forged, good])
    },
  },
  {
    id: 'ERR-05',
    level: 'SHOULD',
    safety: false,
    needs: ['fixture'],
    title: 'Rate limits and overload are not stored',
    why: consumed,
    source: 'draft-07 2.7',
    run: async (trial) => {
      for (const limit of ['429', '503']) {
        const part = await trial.part()
        const request = part.request({ query: { limit } })
        const first = await part.send(request)
        if (statusOf(first) !== Number(limit)) trial.inconclusive(`the limiter gave ${brief(first)}`)
        const again = await part.send(request)
        if (!succeeded(again)) trial.fault(`after a ${limit}: ${brief(again)}`, 'a success', [first, again])
        await part.expectEffects(1, `a ${limit}, then again`, [first, again])
      }
    },
  },
  {
    id: 'ERR-06',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'Requests that never were one',
    why: consumed,
    source: 'draft-07 2.6',
    run: async (trial) => {
      const request = trial.request()
      const path = request.target.split('?')[0] ?? '/'
      const wrong: [string, typeof request][] = [
        ['an unknown route', { ...request, target: `${path.replace(/\/$/, '')}/hapax-no-such-route` }],
        ['a media type nobody takes', withHeaders(request, [['Content-Type', 'text/x-unsupported']])],
      ]
      if (trial.target.key.kind === 'header' && isObject(parseJson(request.body?.toString('utf8') ?? ''))) {
        wrong.push(['malformed JSON', { ...request, body: Buffer.from('{"broken":') }])
      }
      const seen: Exchange[] = []
      for (const [what, variant] of wrong) {
        const part = await trial.part()
        const exchange = await part.send(variant)
        seen.push(exchange)
        if (broke(exchange)) trial.fault(`${what}: ${brief(exchange)}`, 'a 4xx', [exchange])
        if (succeeded(exchange)) trial.note(`${what}: ${statusOf(exchange)}`)
      }
      if (seen.some((exchange) => succeeded(exchange))) return
      const good = await trial.send(request)
      if (succeeded(good)) trial.card('key after a request that failed early', 'free')
      else if (refused(good))
        trial.card('key after a request that failed early', `used up (${statusOf(good)})`)
      else
        trial.fault(`the valid request afterwards: ${brief(good)}`, 'a success, or a refusal', [
          ...seen,
          good,
        ])
    },
  },
  {
    id: 'ERR-07',
    level: 'MUST',
    safety: false,
    needs: [],
    last: true,
    title: 'Every problem body seen in this run is sound',
    why: 'A problem that lies about its status or leaks a stack trace is a problem of its own.',
    source: 'RFC 9457 3.1.2, 5',
    run: async (trial) => {
      // Something has to be looked at, even when this row runs by itself.
      await trial.send(trial.request({ keyLines: [] }))
      const errors = trial.lab.log.filter((exchange) => statusOf(exchange) >= 400)
      const seen = new Set<string>()
      const once = (fault: string, exchange: Exchange, grave: boolean): void => {
        if (seen.has(fault)) return
        seen.add(fault)
        trial.find(grave ? 'fault' : 'warning', fault, 'a sound error answer', [exchange])
      }
      for (const exchange of errors) {
        for (const fault of problemFaults(exchange)) once(fault, exchange, true)
        if (leaksInsides(exchange)) once('a stack trace in an error answer', exchange, false)
      }
      const problems = errors.filter((exchange) => isProblem(exchange)).length
      trial.note(`${errors.length} error answers, ${problems} of them problem+json`)
    },
  },
  {
    id: 'ERR-08',
    level: 'BEYOND',
    safety: false,
    needs: ['key-in-header'],
    title: 'Missing, malformed, reused, in progress: told apart by machine',
    why: 'A client that has to read prose to know what went wrong will guess.',
    source: 'WG issue 51',
    seconds: 2,
    run: distinguishable,
  },
  {
    id: 'ERR-09',
    level: 'SHOULD',
    safety: true,
    needs: ['credentials'],
    title: 'The credential is gone: so is the answer',
    why: 'Whoever lost access must not read stored answers by repeating old requests.',
    source: 'draft-07 5',
    run: async (trial) => {
      const { request, first } = await begin(
        trial,
        trial.target.colleague === undefined ? {} : { caller: 'colleague' },
      )
      const bare = await trial.send(withCaller(trial.target, request, 'nobody'))
      if (succeeded(bare) || trial.sameOutcome(first, bare)) {
        trial.fault(`without the credential: ${brief(bare)}`, '401 or 403', [first, bare])
      } else if (statusOf(bare) !== 401 && statusOf(bare) !== 403) {
        trial.warn(`without the credential: ${brief(bare)}`, '401 or 403', [first, bare])
      }
    },
  },
]

async function distinguishable(trial: Trial): Promise<void> {
  const names = new Map<string, string>()
  const exchanges: Exchange[] = []
  const keep = (what: string, exchange: Exchange): void => {
    if (!refused(exchange)) return
    exchanges.push(exchange)
    names.set(what, machineName(exchange) ?? '')
  }
  if (trial.facts.keyRequired) keep('missing', await trial.send(trial.request({ keyLines: [] })))
  keep('malformed', await trial.send(trial.request({ keyLines: [`"unterminated${Math.random()}`] })))
  const request = trial.slow()
  const { exchanges: raced } = await trial.race([request, request])
  const loser = raced.find((exchange) => statusOf(exchange) === 409)
  if (loser !== undefined) keep('in progress', loser)
  keep('reused', await trial.send(await trial.changed(request)))
  if (names.size < 2) trial.notApplicable('fewer than two kinds of error were met')
  trial.card('error names', [...names].map(([what, name]) => `${what}: ${name || '–'}`).join('; '))
  const unnamed = [...names].filter(([, name]) => name === '').map(([what]) => what)
  if (unnamed.length > 0) trial.report(`no type or code: ${unnamed.join(', ')}`)
  const distinct = new Set([...names.values()].filter((name) => name !== ''))
  if (distinct.size + unnamed.length < names.size) {
    trial.warn(
      [...names].map(([what, name]) => `${what} = ${name}`).join('; '),
      'a type or code for each',
      exchanges,
    )
  }
}
