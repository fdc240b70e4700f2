// Each clause of docs/protocol.md names tests that exist.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const text = read('docs/protocol.md')
const clauses = [...text.matchAll(/^- \*\*(?<number>[\d.]+)\*\* (?<body>.*?)\[(?<pins>[^[\]]*)\]$/gms)].map(
  ({ groups }) => ({
    number: groups?.['number'] ?? '',
    pins: [...(groups?.['pins'] ?? '').matchAll(/`(?<file>[^`]+)`:\s+"(?<title>.+?)"(?=;|$)/g)].map(
      (pin) => ({
        file: pin.groups?.['file'] ?? '',
        title: (pin.groups?.['title'] ?? '').replace(/\s+/g, ' '),
      }),
    ),
  }),
)

describe('docs/protocol.md', () => {
  test('every clause was read', () => {
    expect(clauses).toHaveLength([...text.matchAll(/^- \*\*[\d.]+\*\*/gm)].length)
    expect(clauses.length).toBeGreaterThan(40)
  })

  test.each(clauses)('clause $number is pinned by a test that exists', ({ pins }) => {
    expect(pins.length).toBeGreaterThan(0)
    for (const { file, title } of pins) expect(read(file), file).toContain(title)
  })
})
