// Every regular expression of the product on hostile input: the time grows with its length only.
import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { regularExpressionsIn } from './regular-expressions.ts'

const root = join(import.meta.dirname, '../..')
const found = globSync('src/**/*.ts', { cwd: root }).flatMap((path) =>
  regularExpressionsIn(readFileSync(join(root, path), 'utf8')).map((pattern) => ({
    path: relative('src', path),
    pattern,
  })),
)

/** Read by operators' own commands and the checker's own requests, never from a client of the guarded API. */
const notHostile = /^(?:checker|cli)\//

const length = 10_000
const pumps = [
  ...Array.from(' \t\n\r\0aAzZ09_-.,:;=+*/\\"\'`()[]{}<>%&?#@!|~^$', (character) => character),
  '\u00e9',
  '\ud800',
  'ab',
  '\\"',
  'a=',
  ';a',
  ';a=b',
  '; ',
  '%c3',
  '1.',
  '"a"',
  '[]',
  ', ',
]
const starts = ['', '"', 'a', 'a;', ';a="', '1', ':', '%"', '[']
const ends = ['', '!', '\n', '\u0000', '"x']

const texts = [...hostileTexts()]

describe('are linear', () => {
  const own = found.filter(({ path }) => !notHostile.test(path))

  test('and are found', () => {
    expect(own.length).toBeGreaterThan(40)
    expect(found.map(({ pattern }) => String(pattern))).toContain(String(/[^\t\x20-\x7e\x80-\xff]/))
    expect(regularExpressionsIn("const a = b / c / d // '/x/'\nreturn /[/]x\\//giu.test('/y/')")).toEqual([
      /[/]x\//giu,
    ])
  })

  test.each(own.map(({ path, pattern }) => [path, String(pattern), pattern] as const))(
    '%s: %s',
    (_, __, pattern) => {
      for (const text of texts) expect(fastest(pattern, text)).toBeLessThan(mostMs)
    },
  )

  test('and one that is not would be seen', () => {
    const quadratic = /[ \t]+$/
    const times = texts.filter((text) => text.startsWith('  ')).map((text) => fastest(quadratic, text))
    expect(Math.max(...times)).toBeGreaterThan(mostMs)
  })
})

/** A linear pattern takes much less than 1 ms for these, and a quadratic one 50 ms and more. */
const mostMs = 15
const attempts = 6

function fastest(pattern: RegExp, text: string): number {
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < attempts && best >= mostMs; attempt += 1) {
    pattern.lastIndex = 0
    const startMs = performance.now()
    pattern.test(text)
    best = Math.min(best, performance.now() - startMs)
  }
  return best
}

function* hostileTexts(): Generator<string> {
  for (const pump of pumps) {
    const body = pump.repeat(Math.ceil(length / pump.length))
    for (const [index, start] of starts.entries()) yield start + body + (ends[index % ends.length] ?? '')
    for (const end of ends) yield body + end
  }
}
