// The files that are published: which there are, what is in them, and what an import of them brings.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundle as bundleOfUsers } from '../bench/import/bundle.ts'
import { bundle } from '../scripts/build/bundle.ts'

let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-chunks-'))
  await bundle(join(folder, 'dist'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('an import of hapax/express and hapax/redis', () => {
  const weigh = () => {
    const files = ['adapters/express', 'stores/redis'].map((path) => join(folder, `dist/esm/${path}.js`))
    return bundleOfUsers(files, join(folder, 'weighed'))
  }

  test('brings at most 110 kB, minified', async () => {
    const { minifiedBytes, laterBytes } = await weigh()
    expect(minifiedBytes).toBeGreaterThan(50_000)
    expect(minifiedBytes).toBeLessThanOrEqual(110_000)
    expect(minifiedBytes + laterBytes).toBeLessThanOrEqual(145_000)
  })

  test('brings no module of Node that takes long and that few need', async () => {
    const { builtins } = await weigh()
    expect(builtins).toEqual([
      'node:buffer',
      'node:crypto',
      'node:diagnostics_channel',
      'node:stream',
      'node:timers/promises',
    ])
  })

  test('loads six files', () => {
    expect(new Set(['adapters/express', 'stores/redis'].flatMap((path) => loadedWith(path))).size).toBe(6)
  })
})

describe('each source file is in one place', () => {
  test.each([
    ['of the ES modules for servers', 'esm', (file: string) => !file.startsWith('client/')],
    ['of the client', 'esm', (file: string) => file.startsWith('client/')],
    ['of CommonJS', 'cjs', () => true],
  ] as const)('%s', (_, format, isAmong) => {
    const places = new Map<string, string[]>()
    for (const file of filesOf(format).filter(isAmong)) {
      for (const source of sourcesOf(format, file)) places.set(source, [...(places.get(source) ?? []), file])
    }
    expect(places.size).toBeGreaterThan(20)
    expect([...places].filter(([, files]) => files.length > 1)).toEqual([])
  })
})

test('the same sources make the same files', async () => {
  await bundle(join(folder, 'again'))
  const contents = (of: string) =>
    globSync('**/*.{js,map}', { cwd: join(folder, of) })
      .toSorted()
      .map((file) => [file, readFileSync(join(folder, of, file), 'utf8')])
  expect(contents('again')).toEqual(contents('dist'))
})

test.each(['index', 'intents', 'form', 'axios', 'react'])('hapax/client: %s is for browsers', (entry) => {
  for (const file of loadedWith(`client/${entry}`)) {
    expect(textOf('esm', file)).not.toMatch(/["']node:|\bprocess\b|\bBuffer\b/)
  }
})

test('CommonJS has no import(), which Jest does not allow it', () => {
  for (const file of filesOf('cjs')) expect(textOf('cjs', file), file).not.toMatch(/\bimport\(/)
})

test('a stack trace can be led back to the sources', () => {
  expect(sourcesOf('esm', 'adapters/express.js')).toEqual(['src/adapters/express.ts'])
})

function filesOf(format: 'esm' | 'cjs'): string[] {
  return globSync('**/*.js', { cwd: join(folder, 'dist', format) })
}

function textOf(format: 'esm' | 'cjs', file: string): string {
  return readFileSync(join(folder, 'dist', format, file), 'utf8')
}

/** As paths from the root, wherever the build went. A file that only passes names on has no map. */
function sourcesOf(format: 'esm' | 'cjs', file: string): string[] {
  const map = join(folder, 'dist', format, `${file}.map`)
  if (!existsSync(map)) return []
  const { sources }: { readonly sources: readonly string[] } = JSON.parse(readFileSync(map, 'utf8'))
  const root = join(import.meta.dirname, '..')
  return sources.map((source) => relative(root, resolve(dirname(map), source)))
}

/** The files that an import of `entry` loads, as ES modules: those behind `import()` are not among them. */
function loadedWith(entry: string): string[] {
  const found = new Set([`${entry}.js`])
  for (const file of found) {
    for (const [, imported = ''] of textOf('esm', file).matchAll(
      /^(?:import|export) (?:.* from )?"(\..*)";$/gm,
    )) {
      found.add(join(dirname(file), imported))
    }
  }
  return [...found]
}
