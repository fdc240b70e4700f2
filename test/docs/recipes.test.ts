// The recipes that docs/recipes.md prints are the files that test/journal and test/examples run.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const text = read('docs/recipes.md')
const printed = [...text.matchAll(/^<!-- (?<file>\S+) -->\n```typescript\n(?<code>.*?)^```$/gms)].map(
  ({ groups }) => ({ file: groups?.['file'] ?? '', code: groups?.['code'] ?? '' }),
)

test('every recipe is printed', () => {
  const files = readdirSync(new URL('../../examples/recipes', import.meta.url))
  expect(printed.map(({ file }) => file).toSorted()).toEqual(
    files.map((file) => `examples/recipes/${file}`).toSorted(),
  )
})

test.each(printed)('$file is printed as it is', ({ file, code }) => {
  expect(code).toBe(read(file))
})
