import { randomBytes, randomUUID } from 'node:crypto'
import { broke, brief, headerOf, refused, statusOf, succeeded, tally } from '../answers.ts'
import type { Case } from '../model.ts'
import { keyValue, withKeyLines } from '../requests.ts'
import type { Trial } from '../trial.ts'

/** Keys that are empty, huge, or chosen to be misread. */
export const hostileKeyCases: readonly Case[] = [
  {
    id: 'SYN-13',
    level: 'BEYOND',
    safety: true,
    needs: ['key-in-header'],
    title: 'Empty and blank keys',
    why: 'If an empty value is a key, every client with a bug shares one record and gets others’ answers.',
    source: 'RFC 9651 4.2; draft-07 5',
    run: async (trial) => {
      await blank(trial, '""', 'an empty String')
      await blank(trial, '"   "', 'three spaces in quotes')
      await blank(trial, '', 'an empty field value')
    },
  },
  {
    id: 'SYN-14',
    level: 'BEYOND',
    safety: true,
    needs: ['key-in-header'],
    title: 'Long keys are taken whole or refused',
    why: 'A key that is cut short makes two requests share one record: the second gets the first one’s answer.',
    source: 'RFC 9651 3.3.3; draft-07 5',
    run: longKeys,
  },
  {
    id: 'SYN-15',
    level: 'SHOULD',
    safety: true,
    needs: ['key-in-header'],
    title: 'Hostile keys are just keys',
    why: 'A key reaches SQL, file names, patterns, templates and object members. It must be data in all of them.',
    source: 'draft-07 5; WG issue 34',
    run: hostileKeys,
  },
]

async function blank(trial: Trial, line: string, what: string): Promise<void> {
  const part = await trial.part()
  const request = part.request({ keyLines: [line] })
  const first = await part.send(request)
  if (broke(first)) {
    trial.fault(`${what}: ${brief(first)}`, 'a 400', [first])
    return
  }
  if (refused(first)) {
    trial.note(`${what}: ${statusOf(first)}`)
    return
  }
  const other = await part.send(await trial.changed(request))
  if (part.sameOutcome(first, other)) {
    trial.fault(`${what}: another body got the first body’s answer`, 'a 400, or no key at all', [
      first,
      other,
    ])
  } else if (refused(other)) {
    trial.fault(`${what} is a key that everybody shares: another body got ${statusOf(other)}`, 'a 400', [
      first,
      other,
    ])
  } else if (trial.facts.keyRequired) {
    trial.fault(`${what} ran though a key is required`, 'a 400', [first])
  } else {
    trial.note(`${what}: treated as no key`)
  }
}

async function longKeys(trial: Trial): Promise<void> {
  let longest = 0
  for (const length of [64, 255, 256, 1024, 4096, 20_000]) {
    const part = await trial.part()
    const key = randomBytes(length)
      .toString('hex')
      .slice(0, length - 1)
    const request = part.request({ key: `${key}a` })
    const first = await part.send(request)
    if (broke(first)) {
      trial.fault(`${length} characters: ${brief(first)}`, 'accepted, or a 4xx', [first])
      continue
    }
    // A server may close on a header section it cannot hold; that is a refusal too.
    if (!succeeded(first)) continue
    longest = length
    const other = await part.send(withKeyLines(trial.target, request, [keyValue(trial.facts, `${key}b`)]))
    if (await onlyOne(part, first, other)) {
      trial.fault(`two keys of ${length} characters, equal but for the last, share one effect`, 'two keys', [
        first,
        other,
      ])
    }
  }
  trial.card('longest key accepted', longest === 20_000 ? 'at least 20000' : `${longest} (of those tried)`)
  if (longest === 0) trial.warn('no key of 64 characters is accepted', 'at least a UUID’s length', [])
}

async function onlyOne(
  part: Trial,
  first: Parameters<Trial['sameOutcome']>[0],
  other: typeof first,
): Promise<boolean> {
  if (part.sameOutcome(first, other)) return true
  return succeeded(other) && (await part.effectsReaching(2)) < 2
}

async function hostileKeys(trial: Trial): Promise<void> {
  const random = randomBytes(6).toString('hex')
  const part = await trial.part()
  const victim = part.request({ key: `${random}abc` })
  const victims = await part.send(victim)
  trial.need(victims, 'a plain keyed request')
  const patterns = [
    `${random}*`,
    `${random}a?c`,
    `${random}[a]bc`,
    `${random}%`,
    `${random}a_c`,
    `${random}abc' OR '1'='1`,
  ]
  const literals = [
    "'; DROP TABLE keys; --",
    '../../etc/passwd',
    '%00%0d%0aX-Hapax-Injected:1',
    '*',
    '__proto__',
    'constructor',
    '{{7*7}}',
    '${jndi:ldap://127.0.0.1:1/x}',
    ':'.repeat(200),
  ]
  for (const key of patterns) {
    const exchange = await part.send(withKeyLines(trial.target, victim, [keyValue(trial.facts, key)]))
    if (part.sameOutcome(victims, exchange)) {
      trial.fault(`the key ${key} got the answer of ${random}abc`, 'a key of its own, or a 400', [
        victims,
        exchange,
      ])
    } else if (broke(exchange))
      trial.fault(`the key ${key}: ${brief(exchange)}`, 'accepted, or a 400', [exchange])
  }
  for (const key of literals) {
    // Fixed keys may be known from an earlier run, so their answer says nothing; a breakdown does.
    const exchange = await part.send(part.request({ key }))
    const injected = headerOf(exchange, 'x-hapax-injected')
    if (broke(exchange) || injected !== undefined) {
      trial.fault(
        `the key ${key}: ${injected === undefined ? brief(exchange) : 'a header was injected'}`,
        'accepted, or a 400',
        [exchange],
      )
    }
  }
  const after = await part.send(part.request({ key: randomUUID() }))
  if (!succeeded(after)) trial.fault(`afterwards a plain request: ${brief(after)}`, 'a success', [after])
  await foldsCase(trial, random)
}

async function foldsCase(trial: Trial, random: string): Promise<void> {
  const part = await trial.part()
  const upper = part.request({ key: `ABC${random}` })
  const first = await part.send(upper)
  const other = await part.send(withKeyLines(trial.target, upper, [keyValue(trial.facts, `abc${random}`)]))
  if (!succeeded(first) || !succeeded(other)) {
    trial.note(`ABC and abc: ${tally([first, other])}`)
    return
  }
  trial.card('case of keys', part.sameOutcome(first, other) ? 'folded: "ABC" and "abc" are one key' : 'kept')
}
