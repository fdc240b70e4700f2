import { answerOf, brief, decoded, headerOf, headersOf, statusOf, succeeded } from '../answers.ts'
import { headerDifferences, replayMarkers } from '../compare.ts'
import type { Case } from '../model.ts'
import { withHeaders, withoutHeaders } from '../requests.ts'
import type { Trial } from '../trial.ts'
import type { Exchange, Request } from '../wire/message.ts'
import { Http2Connection } from '../wire/http2.ts'
import { fixtureReplayCases } from './replay-fixture.ts'
import { begin, mustReplay, pause } from './judging.ts'

const same = 'A client that lost the first answer acts on the second: it must say the same.'

export const replayCases: readonly Case[] = [
  {
    id: 'FID-01',
    level: 'SHOULD',
    safety: true,
    needs: [],
    title: 'A repeat gets the first answer',
    why: 'This is the promise itself: the same request again has one effect and the same answer.',
    source: 'draft-07 2.6',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      await mustReplay(trial, first, await trial.send(request), 'the repeat')
    },
  },
  {
    id: 'FID-02',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'Ten further repeats over ten seconds',
    why: same,
    source: 'draft-07 2.6',
    seconds: 10,
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const spanMs = Math.min(10_000, 0.7 * (trial.target.options.retentionMs ?? 20_000))
      for (let turn = 1; turn <= 10; turn += 1) {
        await pause(spanMs / 10)
        if (!trial.expectReplay(first, await trial.send(request), `repeat ${turn}`)) return
      }
      await trial.expectEffects(1, 'eleven requests', [first])
    },
  },
  ...fixtureReplayCases,
  {
    id: 'FID-06',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'The fields that describe the answer are kept',
    why: 'Without its Content-Type a body cannot be read; without Location the thing that was made cannot be found.',
    source: 'draft-07 2.6; RFC 9110 8',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const again = await trial.send(request)
      const left = answerOf(first)
      const right = answerOf(again)
      if (left === undefined || right === undefined || !succeeded(again))
        return trial.inconclusive(`the repeat: ${brief(again)}`)
      const found = headerDifferences(left, right, trial.target.options.ignoreHeaders ?? [])
      const described = found.filter((text) => !/^(x-|etag was added)/.test(text))
      const others = found.filter((text) => !described.includes(text))
      if (described.length > 0) trial.fault(described.join('; '), 'the first answer’s fields', [first, again])
      if (others.length > 0) trial.note(others.join('; '))
    },
  },
  {
    id: 'FID-09',
    level: 'MUST',
    safety: false,
    needs: [],
    title: 'Date is of the replay, not of the first answer',
    why: 'A stored Date makes caches and clients compute ages from a message that is not this one.',
    source: 'RFC 9110 6.6.1',
    seconds: 3,
    run: freshDate,
  },
  {
    id: 'FID-12',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'Compressed twice alike',
    why: 'A stored body that is compressed again, or labelled wrongly, cannot be read.',
    source: 'RFC 9110 8.4',
    run: async (trial) => {
      const { first, again } = await inCodings(trial, 'gzip', 'gzip')
      mustReadAlike(trial, first, again, 'both asked for gzip')
    },
  },
  {
    id: 'FID-13',
    level: 'SHOULD',
    safety: true,
    needs: [],
    title: 'First compressed, then not; and the other way',
    why: 'A retry may come from another client library: gzip bytes to a client that did not ask for them are noise.',
    source: 'RFC 9110 12.5.3',
    run: async (trial) => {
      const plain = 'identity, gzip;q=0'
      const down = await inCodings(trial, 'gzip', plain)
      mustReadAlike(trial, down.first, down.again, 'first gzip, then identity')
      const up = await inCodings(trial, plain, 'gzip')
      mustReadAlike(trial, up.first, up.again, 'first identity, then gzip')
    },
  },
  {
    id: 'FID-14',
    level: 'BEYOND',
    safety: false,
    needs: [],
    title: 'What belongs to one exchange is of this one',
    why: 'A stored trace id sends whoever is on call to the wrong request; a stored CORS field locks the browser out.',
    source: 'RFC 9111 5.1; field practice',
    run: ofThisExchange,
  },
  {
    id: 'FID-15',
    level: 'BEYOND',
    safety: false,
    needs: [],
    title: 'A marker says that this is a replay',
    why: 'Clients and people want to know whether their retry did anything.',
    source: 'WG issue 46',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const again = await trial.send(request)
      const name = replayMarkers.find(
        (one) => headerOf(again, one) !== undefined && headerOf(again, one) !== headerOf(first, one),
      )
      if (name === undefined) {
        trial.card('replay marker', 'none')
        trial.report('reported on the behaviour card')
      } else trial.card('replay marker', `${name}: ${headerOf(again, name)}`)
    },
  },
  {
    id: 'FID-16',
    level: 'MAY',
    safety: true,
    needs: ['resource'],
    title: 'The thing made has changed since',
    why: 'A retry must not make it again, whatever became of it.',
    source: 'draft-07 2.6; AIP-155; WG issues 2, 48',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const path = resourceOf(trial, first)
      const change = trial.request({ method: 'PUT', path, keyLines: [], body: Buffer.from('{"amount":99}') })
      const changed = await trial.send(change)
      const gone = succeeded(changed)
        ? changed
        : await trial.send(trial.request({ method: 'DELETE', path, keyLines: [] }))
      trial.need(gone, `changing ${path}`)
      const before = await trial.effects()
      const again = await trial.send(request)
      const second = (await trial.effects(100)) > before && !trial.sameOutcome(first, again)
      if (second) trial.fault(`the repeat ran again: ${brief(again)}`, 'no second effect', [first, again])
      else if (answerOf(again)?.body.equals(answerOf(first)?.body ?? Buffer.alloc(0)) === true) {
        trial.card('replay after a change', 'the original answer')
        trial.report('the original answer')
      } else trial.report(`current state, or a refusal: ${brief(again)}`)
    },
  },
  {
    id: 'FID-17',
    level: 'SHOULD',
    safety: false,
    needs: ['http2'],
    title: 'First over HTTP/1.1, retry over HTTP/2, and back',
    why: 'A retry may take another road. Connection fields of HTTP/1 in an HTTP/2 answer break it.',
    source: 'draft-07 2.6; RFC 9113 8.2.2',
    run: acrossVersions,
  },
]

/** Where the thing is that an answer says was made. */
export function resourceOf(trial: Trial, first: Exchange): string {
  const template = trial.target.options.resource ?? ''
  if (template.includes('{{witness}}')) return template.replaceAll('{{witness}}', trial.witness(first) ?? '')
  return headerOf(first, 'location') ?? template
}

async function freshDate(trial: Trial): Promise<void> {
  const { request, first } = await begin(trial)
  await pause(2200)
  const sentAt = Date.now()
  const again = await trial.send(request)
  const dates = headersOf(again, 'date')
  if (dates.length > 1)
    trial.fault(`${dates.length} Date lines: ${dates.join(' | ')}`, 'exactly one', [first, again])
  if (dates.length === 0) {
    trial.warn('no Date on the replay', 'a Date, from a server with a clock', [again])
    return
  }
  const plain = await trial.send(trial.request({ method: 'OPTIONS', keyLines: [] }))
  const clock = headerOf(plain, 'date')
  const offsetMs = clock === undefined ? 0 : Date.parse(clock) - Date.now()
  const offset = Math.abs(offsetMs) < 2000 ? 0 : offsetMs
  const ageMs = sentAt + offset - Date.parse(dates[0] ?? '')
  if (!(ageMs <= 2000)) {
    trial.fault(
      `Date is ${dates[0]}, ${Math.round(ageMs / 100) / 10} s before the retry was sent`,
      'the time of the replay',
      [first, again],
    )
  }
}

async function inCodings(
  trial: Trial,
  one: string,
  two: string,
): Promise<{ first: Exchange; again: Exchange }> {
  const request = trial.request({ headers: [['Accept-Encoding', one]] })
  const first = await trial.send(request)
  trial.need(first, `a request with Accept-Encoding: ${one}`)
  return { first, again: await trial.send(withHeaders(request, [['Accept-Encoding', two]])) }
}

function mustReadAlike(trial: Trial, first: Exchange, again: Exchange, what: string): void {
  const left = answerOf(first)
  const right = answerOf(again)
  if (left === undefined || right === undefined || statusOf(again) !== statusOf(first)) {
    trial.fault(`${what}: ${brief(again)}`, `${statusOf(first)} again`, [first, again])
    return
  }
  const coding = headerOf(again, 'content-encoding')
  const accepts = again.request.headers.find(([name]) => name === 'Accept-Encoding')?.[1] ?? ''
  if (coding === 'gzip' && /gzip;q=0/.test(accepts)) {
    trial.fault(`${what}: Content-Encoding: gzip to a client that refuses it`, 'a body it can read', [
      first,
      again,
    ])
    return
  }
  const body = decoded(right)
  if (body === undefined) {
    trial.fault(`${what}: the body is not what Content-Encoding: ${coding} says`, 'a body it can read', [
      first,
      again,
    ])
  } else if (!body.equals(decoded(left) ?? Buffer.alloc(0))) {
    trial.fault(`${what}: the decoded bodies differ`, 'the same bytes', [first, again])
  }
}

async function ofThisExchange(trial: Trial): Promise<void> {
  const request = trial.request({ headers: [...traceFields(), ['Origin', 'https://one.example']] })
  const first = await trial.send(request)
  trial.need(first, 'a request with trace fields')
  const again = await trial.send(withHeaders(request, [...traceFields(), ['Origin', 'https://two.example']]))
  if (headerOf(again, 'age') !== undefined)
    trial.fault(`Age: ${headerOf(again, 'age')}`, 'no Age on a replay', [again])
  const allowed = headerOf(again, 'access-control-allow-origin')
  if (allowed === 'https://one.example') {
    trial.fault(`Access-Control-Allow-Origin is ${allowed}`, 'the retry’s own Origin', [first, again])
  }
  for (const name of ['x-request-id', 'request-id', 'traceresponse', 'x-correlation-id']) {
    const value = headerOf(again, name)
    if (value !== undefined && value === headerOf(first, name)) {
      trial.fault(`${name} is the first exchange’s: ${value}`, 'this exchange’s own', [first, again])
    }
  }
}

async function acrossVersions(trial: Trial): Promise<void> {
  const base = trial.facts.http2
  if (base === undefined) return
  const connection = await Http2Connection.open(base, trial.lab.transport)
  if (typeof connection === 'string') trial.inconclusive(connection)
  try {
    const { request, first } = await begin(
      trial,
      trial.target.options.fixture === true ? { query: { status: '303' } } : {},
    )
    const over2 = await sendOver2(trial, connection, request)
    if (statusOf(first) !== statusOf(over2) || !trial.sameOutcome(first, over2)) {
      trial.fault(`HTTP/2 after HTTP/1.1: ${brief(over2)}`, brief(first), [first, over2])
    }
    const other = trial.request()
    const first2 = await sendOver2(trial, connection, other)
    trial.need(first2, 'a first request over HTTP/2')
    const over1 = await trial.send(other)
    if (!trial.sameOutcome(first2, over1)) {
      trial.fault(`HTTP/1.1 after HTTP/2: ${brief(over1)}`, brief(first2), [first2, over1])
    }
    const stray = ['connection', 'keep-alive', 'transfer-encoding'].filter(
      (name) => headerOf(over2, name) !== undefined,
    )
    if (stray.length > 0)
      trial.fault(`${stray.join(', ')} in an HTTP/2 answer`, 'no connection fields', [over2])
  } finally {
    connection.close()
  }
}

async function sendOver2(trial: Trial, connection: Http2Connection, request: Request): Promise<Exchange> {
  const bare = withoutHeaders(request, ['connection'])
  trial.announce(bare)
  return trial.record(await connection.send(bare))
}

function traceFields(): [string, string][] {
  return [
    ['traceparent', `00-${hex(32)}-${hex(16)}-01`],
    ['X-Request-Id', hex(16)],
  ]
}

function hex(length: number): string {
  return Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join('')
}
