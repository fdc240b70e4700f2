import { randomBytes, randomUUID } from 'node:crypto'
import { broke, brief, refused, statusOf, succeeded } from '../answers.ts'
import type { Case } from '../model.ts'
import { withKeyLines } from '../requests.ts'
import type { Trial } from '../trial.ts'
import { hostileKeyCases } from './hostile-keys.ts'
import { mustBeOneKey, mustNotBeAKey, pair, utf8Bytes } from './judging.ts'

const why = {
  string:
    'The field is a structured String: a server that reads it otherwise takes one key for two, or two for one.',
  malformed: 'A client that sends a broken key believes it is protected. It must not be guessed at.',
}

export const syntaxCases: readonly Case[] = [
  {
    id: 'SYN-01',
    level: 'MUST',
    safety: false,
    needs: ['key-in-header'],
    title: 'A quoted key is taken',
    why: why.string,
    source: 'draft-07 2.1, 6',
    run: async (trial) => {
      const uuid = `"${randomUUID()}"`
      mustBeOneKey(trial, await pair(trial, [uuid], [uuid]), 'a quoted UUID')
      const letters = `"${letters32()}"`
      mustBeOneKey(trial, await pair(trial, [letters], [letters]), '32 random letters, quoted')
    },
  },
  {
    id: 'SYN-02',
    level: 'MUST',
    safety: false,
    needs: ['key-in-header'],
    title: 'The field name is case-insensitive',
    why: 'Proxies and HTTP/2 change the case of names; a retry through another path would run again.',
    source: 'RFC 9110 5.1',
    run: async (trial) => {
      const name = trial.target.key.kind === 'header' ? trial.target.key.name : ''
      const part = await trial.part()
      const request = part.request({ keyName: name.toUpperCase() })
      const lines = request.headers.filter(([own]) => own === name.toUpperCase()).map(([, value]) => value)
      const first = await part.send(request)
      const again = await part.send(withKeyLines(trial.target, request, lines, name.toLowerCase()))
      const effects = await part.effectsReaching(1)
      mustBeOneKey(trial, { first, again, effects }, 'the name in upper, then in lower case')
    },
  },
  {
    id: 'SYN-03',
    level: 'MUST',
    safety: false,
    needs: ['key-in-header'],
    title: 'Outer whitespace is no part of the key',
    why: 'Whitespace around a field value means nothing in HTTP.',
    source: 'RFC 9110 5.5',
    run: async (trial) => {
      const key = ownForm(trial)
      mustBeOneKey(trial, await pair(trial, [` \t ${key} \t `], [key]), 'spaces and tabs around the key')
    },
  },
  {
    id: 'SYN-04',
    level: 'MUST',
    safety: false,
    needs: ['key-in-header'],
    title: 'Parameters are neither an error nor part of the key',
    why: 'Structured fields grow by parameters; a server that trips over them breaks on the next revision.',
    source: 'RFC 9651 3.1.2, 4.2.3; draft-07 2.1',
    run: async (trial) => {
      const key = `"${randomUUID()}"`
      mustBeOneKey(trial, await pair(trial, [`${key};v=1`], [key]), `"K";v=1, then "K"`)
      const other = `"${randomUUID()}"`
      mustBeOneKey(trial, await pair(trial, [`${other}; other`], [other]), `"K"; other, then "K"`)
    },
  },
  {
    id: 'SYN-05',
    level: 'MUST',
    safety: false,
    needs: ['key-in-header'],
    title: 'Escapes in the String',
    why: 'A server that drops or keeps backslashes takes different keys for one.',
    source: 'RFC 9651 4.2.5',
    run: async (trial) => {
      const random = short()
      const key = `"a\\"b\\\\c${random}"`
      mustBeOneKey(trial, await pair(trial, [key], [key]), 'a key with both escapes')
      const swapped = await pair(trial, [`"d\\"e\\\\f${random}"`], [`"d\\\\e\\"f${random}"`])
      if (succeeded(swapped.first) && succeeded(swapped.again) && swapped.effects !== 2) {
        trial.fault('the escapes swapped: taken for the same key', 'two keys', [swapped.first, swapped.again])
      }
    },
  },
  {
    id: 'SYN-06',
    level: 'MUST',
    safety: true,
    needs: ['key-in-header'],
    title: 'Malformed Strings',
    why: why.malformed,
    source: 'RFC 9651 4.2; draft-07 2.1',
    run: async (trial) => {
      await mustNotBeAKey(trial, [`"a\\n${short()}"`], 'a bad escape (\\n)')
      await mustNotBeAKey(trial, [`"${short()}`], 'a String without an end')
      await mustNotBeAKey(trial, [`"${short()}"x`], 'something after the String')
      await mustNotBeAKey(trial, [`"${short()}" ;v`], 'a space before the parameter')
      await mustNotBeAKey(trial, [`'${short()}'`], 'single quotes')
    },
  },
  {
    id: 'SYN-07',
    level: 'MUST',
    safety: true,
    needs: ['key-in-header'],
    title: 'Bytes outside ASCII, and a tab',
    why: 'Decoders disagree about such bytes: two different keys can become one.',
    source: 'RFC 9651 4.2 step 1, 4.2.5',
    run: async (trial) => {
      await mustNotBeAKey(trial, [`"${utf8Bytes('ü')}${short()}"`], 'ü in UTF-8')
      await mustNotBeAKey(trial, [`"\u00fc${short()}"`], 'the single byte 0xFC')
      await mustNotBeAKey(trial, [`"${utf8Bytes('\u202e')}${short()}"`], 'U+202E in UTF-8')
      await mustNotBeAKey(trial, [`"a\tb${short()}"`], 'a tab inside the quotes')
    },
  },
  {
    id: 'SYN-08',
    level: 'MUST',
    safety: true,
    needs: ['key-in-header'],
    title: 'Two key lines',
    why: 'Which of two keys protects the request? A server that picks one silently protects the wrong one.',
    source: 'RFC 9651 4.2; RFC 9110 5.3',
    run: async (trial) => {
      await mustNotBeAKey(trial, [`"${randomUUID()}"`, `"${randomUUID()}"`], 'two lines, two keys')
      const key = `"${randomUUID()}"`
      await mustNotBeAKey(trial, [key, key], 'two lines, one key')
    },
  },
  {
    id: 'SYN-09',
    level: 'MAY',
    safety: false,
    needs: ['key-in-header'],
    title: 'One String split over two lines',
    why: 'The lines combine into one valid String, or the request is refused; half a key is neither.',
    source: 'RFC 9651 4.2',
    run: splitString,
  },
  {
    id: 'SYN-10',
    level: 'MUST',
    safety: false,
    needs: ['key-in-header'],
    title: 'Values of another type',
    why: 'The field is a String. A number, a token or a list is not one.',
    source: 'draft-07 2.1',
    run: async (trial) => {
      const random = short()
      const bare: [string, string][] = [
        [String(parseInt(randomBytes(5).toString('hex'), 16)), 'an Integer'],
        [`tok${random}`, 'a Token'],
      ]
      // Where bare keys are taken these are bare keys like any other, and say nothing.
      if (trial.facts.rawKeys) trial.note('bare keys are taken here, so an Integer and a Token are keys')
      else for (const [line, what] of bare) await mustNotBeAKey(trial, [line], what)
      const base64 = Buffer.from(random).toString('base64').replaceAll('=', '')
      const padded = base64.padEnd(Math.ceil(base64.length / 4) * 4, '=')
      const rest: [string, string, boolean][] = [
        ['?1', 'a Boolean', false],
        [`:${padded}:`, 'a Byte Sequence', true],
        [`@${Date.now()}`, 'a Date', true],
        [`%"${random}"`, 'a Display String', false],
        [`("${random}")`, 'an Inner List', false],
      ]
      for (const [line, what, plain] of rest) {
        // Made of characters that a published format for bare keys may well allow.
        if (plain && trial.facts.rawKeys && (await isLiteralKey(trial, line)))
          trial.note(`${what} is taken as a bare key`)
        else await mustNotBeAKey(trial, [line], what)
      }
    },
  },
  {
    id: 'SYN-11',
    level: 'BEYOND',
    safety: true,
    needs: ['key-in-header', 'raw-keys'],
    title: 'Bare UUIDs are treated alike, whatever they begin with',
    why: 'A structured-field parser takes a bare UUID for a Token if it begins with a letter and fails if with a digit: five of eight clients break at random.',
    source: 'field practice (every vendor)',
    run: async (trial) => {
      const digit = `4${randomUUID().slice(1)}`
      const letter = `b${randomUUID().slice(1)}`
      const withDigit = await pair(trial, [digit], [digit])
      const withLetter = await pair(trial, [letter], [letter])
      const taken = [withDigit, withLetter].map(({ first }) => succeeded(first))
      const all = [withDigit.first, withDigit.again, withLetter.first, withLetter.again]
      if (taken[0] !== taken[1]) {
        trial.fault(
          `digit first: ${brief(withDigit.first)}; letter first: ${brief(withLetter.first)}`,
          'the same',
          all,
        )
      } else if (withDigit.effects !== withLetter.effects) {
        trial.fault(`${withDigit.effects} and ${withLetter.effects} effects`, 'the same', all)
      }
    },
  },
  {
    id: 'SYN-12',
    level: 'BEYOND',
    safety: false,
    needs: ['key-in-header', 'raw-keys'],
    title: 'Bare, then quoted',
    why: 'A client that upgrades to the quoted form in the middle of its retries wants one key.',
    source: 'gap in the draft; WG issue 6',
    run: async (trial) => {
      const key = randomUUID()
      const { first, again, effects } = await pair(trial, [key], [`"${key}"`])
      trial.need(first, 'a bare key')
      trial.card('k and "k"', effects === 1 && succeeded(again) ? 'one key' : 'two keys')
      trial.report('reported on the behaviour card')
    },
  },
  ...hostileKeyCases,
]

async function splitString(trial: Trial): Promise<void> {
  const random = short()
  const part = await trial.part()
  const request = part.request({ keyLines: [`"foo${random}`, 'bar"'] })
  const first = await part.send(request)
  if (refused(first)) {
    trial.report(`refused with ${statusOf(first)}`)
    return
  }
  if (broke(first) || !succeeded(first)) {
    trial.fault(brief(first), 'a 4xx, or the combined key', [first])
    return
  }
  for (const line of [`"foo${random}"`, `"foo${random}`, `foo${random}`]) {
    const half = await part.send(withKeyLines(trial.target, request, [line]))
    if (part.sameOutcome(first, half)) {
      trial.fault(`the first line alone was the key (${line} replays)`, 'a 4xx, or the combined key', [
        first,
        half,
      ])
      return
    }
  }
  const whole = await part.send(withKeyLines(trial.target, request, [`"foo${random}, bar"`]))
  trial.report(
    part.sameOutcome(first, whole) ? 'the combined value is the key' : 'accepted under a key of its own',
  )
}

/** Whether the value is a key of its own, exactly as written. */
async function isLiteralKey(trial: Trial, line: string): Promise<boolean> {
  const { first, again, effects } = await pair(trial, [line], [line])
  const near = await pair(trial, [line], [`${line}x`])
  return succeeded(first) && succeeded(again) && effects === 1 && !trial.sameOutcome(near.first, near.again)
}

function ownForm(trial: Trial): string {
  return trial.facts.keyForm === 'quoted' ? `"${randomUUID()}"` : randomUUID()
}

function short(): string {
  return randomBytes(8).toString('hex')
}

function letters32(): string {
  return [...randomBytes(32)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('')
}
