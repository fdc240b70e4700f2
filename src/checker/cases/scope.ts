import { randomUUID } from 'node:crypto'
import { answerOf, bodyOf, brief, headersOf, statusOf, succeeded } from '../answers.ts'
import { replayMarkers } from '../compare.ts'
import type { Case } from '../model.ts'
import { keyValue, withCaller, withHeaders, withKeyLines } from '../requests.ts'
import type { Trial } from '../trial.ts'
import type { Exchange, Request } from '../wire/message.ts'
import { begin, pause, scopeOf } from './judging.ts'

const leak =
  'Keys can be guessed, logged and reused. One customer must not receive, block or learn of another’s request.'

export const scopeCases: readonly Case[] = [
  {
    id: 'SCO-01',
    level: 'SHOULD',
    safety: true,
    needs: ['second-tenant'],
    title: 'Another tenant with the same key',
    why: leak,
    source: 'draft-07 5',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const theirs = await trial.send(withCaller(trial.target, request, 'tenant'))
      mustBeOwn(trial, first, theirs, 'the other tenant')
      await trial.expectEffects(2, 'one request each', [first, theirs])
    },
  },
  {
    id: 'SCO-02',
    level: 'SHOULD',
    safety: true,
    needs: ['second-tenant'],
    title: 'Another tenant’s key is no oracle',
    why: leak,
    source: 'draft-07 5',
    seconds: 2,
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const theirs = await trial.send(withCaller(trial.target, await trial.changed(request), 'tenant'))
      mustBeOwn(trial, first, theirs, 'another body under another tenant’s key')
      if (trial.target.slow === undefined) return
      const part = await trial.part()
      const slow = part.slow()
      const running = part.send(slow)
      await pause(Math.min(300, trial.target.slowMs / 3))
      const meanwhile = await part.send(withCaller(trial.target, slow, 'tenant'))
      mustBeOwn(part, await running, meanwhile, 'while the first tenant’s is running')
    },
  },
  {
    id: 'SCO-03',
    level: 'SHOULD',
    safety: true,
    needs: ['credentials'],
    title: 'Without credentials, a used key is like an unused one',
    why: 'Looking up the key before the caller hands out stored answers to anybody, or tells which keys exist.',
    source: 'draft-07 5',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      for (const [caller, what] of [
        ['nobody', 'no credentials'],
        ['forger', 'made-up credentials'],
      ] as const) {
        const used = await trial.send(withCaller(trial.target, request, caller))
        const fresh =
          trial.target.key.kind === 'member'
            ? trial.request()
            : withKeyLines(trial.target, request, [keyValue(trial.facts, randomUUID())])
        const unused = await trial.send(withCaller(trial.target, fresh, caller))
        if (succeeded(unused)) trial.inconclusive(`${what} are accepted: ${brief(unused)}`)
        if (trial.sameOutcome(first, used) || succeeded(used)) {
          trial.fault(`${what}: ${brief(used)}`, '401 or 403', [first, used])
        } else if (statusOf(used) !== statusOf(unused)) {
          trial.fault(
            `${what}: ${statusOf(used)} for a used key, ${statusOf(unused)} for an unused one`,
            'the same',
            [used, unused],
          )
        } else if (!bodyOf(used).equals(bodyOf(unused)) && bodyOf(used).length !== bodyOf(unused).length) {
          trial.warn(`${what}: the answers for a used and an unused key differ`, 'the same bytes', [
            used,
            unused,
          ])
        }
      }
    },
  },
  {
    id: 'SCO-04',
    level: 'BEYOND',
    safety: true,
    needs: ['second-credential'],
    title: 'Another credential of the same principal',
    why: 'A token that is refreshed in the middle of a retry loop must not make the retry a new request.',
    source: 'draft-07 5',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const again = await trial.send(withCaller(trial.target, request, 'colleague'))
      trial.card(
        'scope of a key',
        trial.sameOutcome(first, again)
          ? 'the principal'
          : `the credential (${scopeOf(trial, first, again)})`,
      )
      if (!trial.sameOutcome(first, again) && succeeded(again)) {
        trial.warn('a refreshed token makes a retry run again', 'one scope for one principal', [first, again])
      }
      trial.report('reported on the behaviour card')
    },
  },
  {
    id: 'SCO-05',
    level: 'BEYOND',
    safety: true,
    needs: ['second-tenant', 'key-in-header'],
    title: 'Keys with the separators of composite keys',
    why: 'If scope and key are joined by a colon, a key with a colon can name another’s record.',
    source: 'draft-07 5',
    run: delimiters,
  },
  {
    id: 'SCO-06',
    level: 'BEYOND',
    safety: true,
    needs: [],
    title: 'The same place, written otherwise',
    why: 'A proxy may rewrite the path between two tries. Whatever happens must be what the answer says.',
    source: 'WG issue 22',
    run: otherSpellings,
  },
]

function mustBeOwn(trial: Trial, first: Exchange, theirs: Exchange, what: string): void {
  const witness = trial.witness(first)
  const text = `${bodyOf(theirs).toString('latin1')} ${
    answerOf(theirs)
      ?.headers.map(([, value]) => value)
      .join(' ') ?? ''
  }`
  if (
    trial.sameOutcome(first, theirs) ||
    (witness !== undefined && witness.length > 5 && text.includes(witness))
  ) {
    trial.fault(`${what} got the first tenant’s answer: ${brief(theirs)}`, 'an execution of its own', [
      first,
      theirs,
    ])
    return
  }
  if (!succeeded(theirs)) trial.fault(`${what}: ${brief(theirs)}`, 'an execution of its own', [first, theirs])
  const cookies = headersOf(theirs, 'set-cookie').filter((line) =>
    headersOf(first, 'set-cookie').includes(line),
  )
  if (cookies.length > 0)
    trial.fault(`${what} got the first tenant’s cookies`, 'none of them', [first, theirs])
}

async function delimiters(trial: Trial): Promise<void> {
  const random = randomUUID().slice(0, 8)
  const owner =
    trial.target.headers.find(([name]) => trial.target.credentialNames.includes(name.toLowerCase()))?.[1] ??
    ''
  const names = [owner, trial.target.tenant?.[1] ?? ''].map((value) =>
    value.replace(/^\w+ /, '').replaceAll(/["\\]/g, ''),
  )
  const path = (trial.target.path.split('?')[0] ?? '').replaceAll(/["\\]/g, '')
  for (const separator of [':', '|', '/', '#', '%00', '\\u0000', '-']) {
    const escaped = separator.replaceAll('\\', '\\\\')
    const key = `${random}${escaped.replaceAll(/[^\w]/g, '')}${escaped.length}`
    const part = await trial.part()
    const request = part.request({ key })
    const victim = await part.send(request)
    if (!succeeded(victim)) continue
    for (const prefix of [...names, path]) {
      const crafted = withKeyLines(trial.target, request, [
        keyValue(trial.facts, `${prefix}${escaped}${key}`),
      ])
      const theirs = await part.send(withCaller(trial.target, crafted, 'tenant'))
      if (part.sameOutcome(victim, theirs)) {
        trial.fault(
          `the key ${prefix}${separator}${key} of another tenant got this tenant’s answer`,
          'no match',
          [victim, theirs],
        )
      }
    }
  }
  trial.note(
    'tenants’ internal ids are not known from outside: their tokens and the path were tried as prefixes',
  )
}

async function otherSpellings(trial: Trial): Promise<void> {
  const { request, first } = await begin(trial)
  const [path = '/', query] = request.target.split('?')
  const rest = query === undefined ? '' : `?${query}`
  const letter = /[A-Za-z](?!.*[A-Za-z])/.exec(path)
  const encodedPath =
    letter === null
      ? path
      : `${path.slice(0, letter.index)}%${letter[0].charCodeAt(0).toString(16).toUpperCase()}${path.slice(letter.index + 1)}`
  const variants: [string, Request][] = [
    [
      'a trailing slash',
      { ...request, target: `${path.endsWith('/') ? path.slice(0, -1) : `${path}/`}${rest}` },
    ],
    ['a letter percent-encoded', { ...request, target: encodedPath + rest }],
    ['dot segments', { ...request, target: `/hapax/..${path}${rest}` }],
    ['another Host', withHeaders(request, [['Host', 'alias.example']])],
  ]
  const seen: string[] = []
  for (const [what, variant] of variants) {
    const other = await trial.send(variant)
    const marked = replayMarkers.some((name) => name !== 'x-cache' && headersOf(other, name).includes('true'))
    if (marked && succeeded(other) && !trial.sameOutcome(first, other)) {
      trial.fault(`${what}: a second effect with a replay marker`, 'what the marker says', [first, other])
    }
    seen.push(`${what}: ${scopeOf(trial, first, other)}`)
  }
  trial.card('equivalent targets', seen.join('; '))
}
