import { answerOf, bodyOf, broke, brief, headerOf, statusOf, succeeded } from '../answers.ts'
import type { Case } from '../model.ts'
import { withHeaders } from '../requests.ts'
import type { Trial } from '../trial.ts'
import type { Exchange, Request } from '../wire/message.ts'
import { begin, mustReplay } from './judging.ts'
import { resourceOf } from './replay.ts'

export const methodCases: readonly Case[] = [
  {
    id: 'MTH-01',
    level: 'BEYOND',
    safety: true,
    needs: ['key-in-header'],
    title: 'GET, HEAD and OPTIONS with a key',
    why: 'Browsers and clients add the key to everything: a read must stay a read, and fresh.',
    source: 'OASIS 5; draft-07 1',
    run: reads,
  },
  {
    id: 'MTH-02',
    level: 'SHOULD',
    safety: true,
    needs: ['patch'],
    title: 'PATCH twice under one key',
    why: '"Add one" applied twice adds two.',
    source: 'draft-07 abstract, 1',
    run: async (trial) => {
      const request = patch(trial)
      const first = await trial.send(request)
      trial.need(first, 'a keyed PATCH')
      await mustReplay(trial, first, await trial.send(request), 'the repeated PATCH')
    },
  },
  {
    id: 'MTH-03',
    level: 'MAY',
    safety: true,
    needs: ['patch', 'resource'],
    title: 'If-Match with the tag from before the change',
    why: 'The first try changed the tag: a repeat that is judged by it fails though it succeeded.',
    source: 'RFC 9110 13.1.1, 13.2.2; OASIS',
    run: async (trial) => {
      const { first: created } = await begin(trial)
      const path = resourceOf(trial, created)
      const read = await trial.send(trial.request({ method: 'GET', path, keyLines: [] }))
      const tag = headerOf(read, 'etag')
      if (!succeeded(read) || tag === undefined)
        return trial.notApplicable(`no ETag at ${path}: ${brief(read)}`)
      const body = Buffer.from(trial.target.options.patch?.data ?? '{"amount":1}')
      const change = trial.request({ method: 'PATCH', path, body, headers: [['If-Match', tag]] })
      const first = await trial.send(change)
      trial.need(first, `PATCH ${path} with If-Match`)
      const again = await trial.send(change)
      if (!succeeded(again))
        trial.fault(`the repeat: ${brief(again)}`, 'the first answer, or a 2xx', [first, again])
      else if (!bodyOf(first).equals(bodyOf(again))) trial.report('not the same bytes as the first answer')
    },
  },
  {
    id: 'MTH-04',
    level: 'MAY',
    safety: false,
    needs: ['resource'],
    title: 'PUT and DELETE with a key',
    why: 'They are idempotent by themselves; whether the key is looked at changes what a late repeat does.',
    source: 'WG issue 44; OASIS',
    run: async (trial) => {
      const { first: created } = await begin(trial)
      const path = resourceOf(trial, created)
      const put = (amount: number): Request =>
        trial.request({ method: 'PUT', path, body: Buffer.from(`{"amount":${amount}}`) })
      const mine = put(10)
      const first = await trial.send(mine)
      if (!succeeded(first)) trial.notApplicable(`PUT ${path}: ${brief(first)}`)
      await trial.send(put(20))
      const again = await trial.send(mine)
      const replayed = bodyOf(first).equals(bodyOf(again))
      const remove = trial.request({ method: 'DELETE', path })
      const gone = await trial.send(remove)
      const twice = await trial.send(remove)
      trial.card('PUT with a key', replayed ? 'replayed' : 'key ignored')
      trial.card('DELETE with a key', `${statusOf(gone)}, then ${statusOf(twice)}`)
      trial.report('reported on the behaviour card')
      if (broke(again) || broke(twice))
        trial.fault(`${brief(again)}; ${brief(twice)}`, 'no 5xx', [again, twice])
    },
  },
  {
    id: 'MTH-05',
    level: 'MUST',
    safety: true,
    needs: ['key-in-header', 'fixture'],
    title: 'Early data',
    why: 'A request in TLS early data may be a replay by an attacker; a 425 must not use up the key.',
    source: 'RFC 8470 5.1, 5.2',
    run: async (trial) => {
      const request = trial.request()
      const early = await trial.send(withHeaders(request, [['Early-Data', '1']]))
      const later = await trial.send(request)
      if (statusOf(early) === 425) {
        trial.card('Early-Data', '425')
        if (!succeeded(later)) trial.fault(`after the 425: ${brief(later)}`, 'a success', [early, later])
      } else {
        trial.card('Early-Data', succeeded(early) ? 'processed' : String(statusOf(early)))
        if (succeeded(early)) trial.expectReplay(early, later, 'the same without Early-Data')
      }
      await trial.expectEffects(1, 'early, then again', [early, later])
    },
  },
  {
    id: 'MTH-06',
    level: 'BEYOND',
    safety: false,
    needs: ['key-in-header'],
    title: 'CORS lets the key through',
    why: 'A browser that may not send the key sends nothing at all.',
    source: 'Fetch; Firefox',
    run: cors,
  },
]

async function reads(trial: Trial): Promise<void> {
  const { request, first } = await begin(trial)
  const keys = request.headers
  const read = (method: string): Promise<Exchange> =>
    trial.send({ ...request, method, headers: keys, body: undefined })
  const before = await read('GET')
  trial.need(await trial.send(trial.request()), 'a second POST')
  const after = await read('GET')
  const head = await read('HEAD')
  for (const [what, exchange] of [
    ['GET', before],
    ['GET after another POST', after],
  ] as const) {
    const witness = trial.witness(first)
    const body = bodyOf(exchange)
    if (
      statusOf(exchange) === statusOf(first) &&
      body.equals(bodyOf(first)) &&
      body.length > 0 &&
      witness !== undefined
    ) {
      trial.fault(`${what} with the key got the POST’s answer`, 'the resource', [first, exchange])
    }
    if (statusOf(exchange) === 409 || statusOf(exchange) === 422)
      trial.fault(`${what} with the key: ${brief(exchange)}`, 'the resource', [first, exchange])
  }
  if (bodyOf(head).length > 0) trial.fault('HEAD has a body', 'no body', [head])
  const bare = await trial.send({ ...trial.request({ method: 'OPTIONS', keyLines: [] }), body: undefined })
  const keyed = await read('OPTIONS')
  for (const exchange of [bare, keyed]) {
    if (statusOf(exchange) === 400 || statusOf(exchange) === 409)
      trial.fault(`OPTIONS: ${brief(exchange)}`, 'neither 400 nor 409', [exchange])
  }
  await trial.expectEffects(2, 'two POSTs and some reads', [first, before, after, head])
}

function patch(trial: Trial): Request {
  const { url, data } = trial.target.options.patch ?? {}
  const body = data === undefined ? {} : { body: Buffer.from(data) }
  return trial.request({ method: 'PATCH', ...(url === undefined ? {} : { path: pathOf(url) }), ...body })
}

function pathOf(url: string): string {
  return url.startsWith('/') ? url : new URL(url).pathname + new URL(url).search
}

async function cors(trial: Trial): Promise<void> {
  const name = trial.target.key.kind === 'header' ? trial.target.key.name.toLowerCase() : ''
  const preflight = await trial.send({
    ...trial.request({ method: 'OPTIONS', keyLines: [] }),
    headers: [
      ['Origin', 'https://app.example'],
      ['Access-Control-Request-Method', trial.target.method],
      ['Access-Control-Request-Headers', `content-type, ${name}`],
    ],
    body: undefined,
  })
  const origin = headerOf(preflight, 'access-control-allow-origin')
  if (origin === undefined) trial.notApplicable('CORS is not on for https://app.example')
  const allowed = (headerOf(preflight, 'access-control-allow-headers') ?? '').toLowerCase()
  if (!allowed.includes(name) && allowed !== '*') {
    trial.fault(`Access-Control-Allow-Headers: ${allowed || 'none'}`, `${name} among them`, [preflight])
  }
  const actual = await trial.send(trial.request({ headers: [['Origin', 'https://app.example']] }))
  const exposed = headerOf(actual, 'access-control-expose-headers')
  trial.card('exposed to browsers', exposed ?? 'no extra headers')
  if (answerOf(actual) === undefined) trial.inconclusive(brief(actual))
}
