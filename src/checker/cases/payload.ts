import { gzipSync } from 'node:zlib'
import { brief, refused, statusOf, succeeded } from '../answers.ts'
import { isObject, parseJson } from '../json.ts'
import type { Case } from '../model.ts'
import { withBody, withHeaders } from '../requests.ts'
import type { Trial } from '../trial.ts'
import type { Request } from '../wire/message.ts'
import { begin, mustBeRefused, mustReplay } from './judging.ts'

/** What of the body is compared, and how. */
export const payloadCases: readonly Case[] = [
  {
    id: 'MM-05',
    level: 'MUST',
    safety: true,
    needs: [],
    title: 'A difference far into the body is seen',
    why: 'A fingerprint of the beginning takes two long orders that begin alike for one.',
    source: 'draft-07 2.7',
    run: async (trial) => {
      for (const [size, name] of [
        [64 * 1024, '64 KiB'],
        [1024 * 1024, '1 MiB'],
      ] as const) {
        await farDifference(trial, size, name)
      }
      const { request, first } = await begin(trial)
      const longer = await trial.send(
        withBody(trial.target, request, Buffer.concat([request.body ?? Buffer.alloc(0), Buffer.from('\n')])),
      )
      trial.card(
        'trailing newline in the body',
        trial.sameOutcome(first, longer) ? 'ignored' : `${statusOf(longer)}`,
      )
    },
  },
  {
    id: 'MM-07',
    level: 'BEYOND',
    safety: false,
    needs: ['json'],
    title: 'The same bytes under another Content-Type',
    why: 'The media type says what the bytes mean: another type is another request.',
    source: 'draft-07 2.4',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const form = await trial.send(
        withHeaders(request, [['Content-Type', 'application/x-www-form-urlencoded']]),
      )
      if (trial.sameOutcome(first, form))
        trial.fault('as a form: the first answer was replayed', 'a refusal', [first, form])
      const charset = await trial.send(
        withHeaders(request, [['Content-Type', 'application/json; charset=utf-8']]),
      )
      trial.card(
        'Content-Type parameter added',
        trial.sameOutcome(first, charset) ? 'ignored' : String(statusOf(charset)),
      )
    },
  },
  {
    id: 'MM-08',
    level: 'MAY',
    safety: true,
    needs: ['json'],
    title: 'The same JSON value in other bytes',
    why: 'Comparing values or comparing bytes are both fine; running again is not, nor is missing a change.',
    source: 'draft-07 2.4',
    run: async (trial) => {
      const seen: string[] = []
      for (const [name, rewrite] of rewritings) {
        const part = await trial.part()
        const { request, first } = await begin(part)
        const body = rewrite(request.body?.toString('utf8') ?? '')
        if (body === undefined) continue
        const other = await part.send({ ...request, body: Buffer.from(body) })
        if (name === 'a member repeated with another value') {
          if (part.sameOutcome(first, other))
            trial.fault(`${name}: the first answer was replayed`, 'a refusal', [first, other])
          continue
        }
        const effects = await part.effects()
        if (effects > 1) trial.fault(`${name}: ${effects} effects`, 'a replay or a refusal', [first, other])
        seen.push(`${name}: ${part.sameOutcome(first, other) ? 'replayed' : statusOf(other)}`)
      }
      const byValue = seen.every((text) => text.endsWith('replayed'))
      const byBytes = seen.every((text) => !text.endsWith('replayed'))
      trial.card('JSON compared', byValue ? 'by value' : byBytes ? 'by bytes' : seen.join('; '))
      trial.report('reported on the behaviour card')
    },
  },
  {
    id: 'MM-09',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'Chunked or not is not the payload',
    why: 'Proxies change the framing; the payload stays the same.',
    source: 'RFC 9112 6; draft-07 2.4',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      if (request.body === undefined || request.body.length === 0)
        trial.notApplicable('the request has no body')
      const again = await trial.send({ ...request, framing: { kind: 'chunked', sizes: [1, 3, 7, 2] } })
      await mustReplay(trial, first, again, 'the repeat in odd chunks')
    },
  },
  {
    id: 'MM-11',
    level: 'MAY',
    safety: false,
    needs: [],
    title: 'Another multipart boundary, another content coding',
    why: 'Comparing parts or bytes are both fine; running again is not.',
    source: 'draft-07 2.4',
    run: otherWrapping,
  },
]

async function farDifference(trial: Trial, size: number, name: string): Promise<void> {
  const part = await trial.part()
  const plain = part.request()
  if (plain.body === undefined) trial.notApplicable('the request has no body')
  const changed = await trial.changed(plain)
  const [left, right] = padded(trial, plain, changed, size)
  const first = await part.send(left)
  if (!succeeded(first)) {
    trial.note(`a body of ${name} is not accepted: ${statusOf(first)}`)
    return
  }
  await mustBeRefused(part, first, await part.send(right), `a difference after ${name}`)
}

/** Two bodies, equal at first and for a long way. Blanks before a JSON text mean nothing, so any API takes them. */
function padded(trial: Trial, plain: Request, changed: Request, size: number): [Request, Request] {
  const json = parseJson(plain.body?.toString('utf8') ?? '')
  if (trial.target.options.fixture === true && isObject(json)) {
    const text = (end: string): Buffer =>
      Buffer.from(JSON.stringify({ ...json, pad: 'a'.repeat(size) + end }))
    return [
      { ...plain, body: text('1') },
      { ...plain, body: text('2') },
    ]
  }
  const filler = Buffer.alloc(size, json === undefined ? 'a' : ' ')
  const join = (request: Request): Request => ({
    ...request,
    body: Buffer.concat([filler, request.body ?? Buffer.alloc(0)]),
  })
  return [join(plain), join(changed)]
}

const rewritings: readonly [string, (text: string) => string | undefined][] = [
  [
    'members reordered',
    (text) => {
      const json = parseJson(text)
      if (!isObject(json) || Object.keys(json).length < 2) return undefined
      return JSON.stringify(Object.fromEntries(Object.entries(json).toReversed()))
    },
  ],
  ['other whitespace', (text) => JSON.stringify(parseJson(text), undefined, 3)],
  ['1 as 1.0', (text) => changedOrNot(text, text.replace(/:(\s*-?\d+)(?=[,}\s])/, ':$1.0'))],
  [
    'a letter as \\u escape',
    (text) =>
      changedOrNot(
        text,
        text.replace(/:(\s*)"([a-z])/, (_, space: string, letter: string) => {
          return `:${space}"\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
        }),
      ),
  ],
  [
    'a member repeated with another value',
    (text) => {
      const number = /"([^"\\]+)":(\s*)(\d+)/.exec(text)
      if (number === null) return undefined
      return text.trimEnd().replace(/\}$/, `,"${number[1]}":${Number(number[3]) + 1}}`)
    },
  ],
]

function changedOrNot(before: string, after: string): string | undefined {
  return before === after ? undefined : after
}

async function otherWrapping(trial: Trial): Promise<void> {
  const { request, first } = await begin(trial)
  const zipped = await trial.send({
    ...withHeaders(request, [['Content-Encoding', 'gzip']]),
    body: gzipSync(request.body ?? Buffer.alloc(0)),
  })
  const effects = await trial.effects()
  if (effects > 1)
    trial.fault(`the same body, gzip-coded: ${effects} effects`, 'a replay or a refusal', [first, zipped])
  trial.report(`gzip-coded: ${trial.sameOutcome(first, zipped) ? 'replayed' : brief(zipped).slice(0, 3)}`)
  const part = await trial.part()
  const marker = request.marker
  const multipart = part.request({
    body: parts('aaaa', marker),
    headers: [['Content-Type', 'multipart/form-data; boundary=aaaa']],
  })
  const one = await part.send(multipart)
  if (!succeeded(one)) {
    trial.note(`multipart is not taken here: ${statusOf(one)}`)
    return
  }
  const two = await part.send({
    ...withHeaders(multipart, [['Content-Type', 'multipart/form-data; boundary=bbbb']]),
    body: parts('bbbb', marker),
  })
  if (succeeded(two) && !part.sameOutcome(one, two)) {
    trial.fault('another boundary: a second effect', 'a replay or a refusal', [one, two])
  } else trial.report(`another boundary: ${refused(two) ? statusOf(two) : 'replayed'}`)
}

function parts(boundary: string, marker: string): Buffer {
  const disposition = 'Content-Disposition: form-data; name="marker"'
  return Buffer.from(`--${boundary}\r\n${disposition}\r\n\r\n${marker}\r\n--${boundary}--\r\n`)
}
