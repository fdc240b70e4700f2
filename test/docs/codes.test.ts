// The README's table of errors is the code's.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { misuseTexts } from '../../src/core/misuse.ts'
import { problemCodes } from '../../src/protocol/codes.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the README lists every problem code with its status, and no other', () => {
  const section = read('README.md').split('\n## Errors\n')[1] ?? ''
  const rows = [...section.matchAll(/^\| (?<codes>`.*?) \| (?<status>\d{3}) \|/gm)]
  const listed = rows.flatMap(({ groups }) =>
    [...(groups?.['codes'] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, code]) => [
      code,
      Number(groups?.['status']),
    ]),
  )
  const statuses = Object.entries(problemCodes).map(([code, { status }]) => [code, status])
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(statuses))
})

test('docs/client.md explains every error of the client', () => {
  const codes = [...read('src/client/errors.ts').matchAll(/^ {2}\| '([a-z-]+)'$/gm)].map(([, code]) =>
    String(code),
  )
  expect(codes).toContain('no-answer')
  const table = read('docs/client.md').split('## Errors')[1] ?? ''
  for (const code of codes) expect(table).toContain(`\`${code}\``)
})

test('docs/misuse.md explains every misuse code, and no other', () => {
  const headings = [...read('docs/misuse.md').matchAll(/^## (.+)$/gm)].map(([, heading]) => String(heading))
  expect(headings.toSorted()).toEqual(Object.keys(misuseTexts).toSorted())
})
