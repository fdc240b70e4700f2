// Tests what ships: the packed tarball, installed in an empty folder, on every Node that it supports.
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeBinary } from './support/node-binary.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const manifest: { exports: Record<string, unknown>; dependencies?: Record<string, string> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
const entries = Object.entries(manifest.exports).filter(([subpath]) => subpath !== './package.json')
const nameOf = ([subpath]: [string, unknown]) => subpath.replace(/^\./, 'hapax')
const subpaths = entries.map(nameOf)
/** The client runs where bundlers and browsers are: it has no second build. */
const moduleOnly = entries.filter(([, conditions]) => !Object.hasOwn(Object(conditions), 'require'))
const commonJs = entries.filter((entry) => !moduleOnly.includes(entry)).map(nameOf)

let folder: string
let tarball: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-dist-'))
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
  })
  const [packed]: [{ filename: string }] = JSON.parse(stdout)
  tarball = join(folder, packed.filename)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], { cwd: folder })
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the packed package', () => {
  test('installs no Node and no dependency without a decision', () => {
    expect(existsSync(join(folder, 'node_modules/.bin/node'))).toBe(false)
    const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))
    const decided = readdirSync(join(root, 'decisions')).join(' ')
    expect(installed).toContain('hapax')
    for (const name of installed.filter((each) => each !== 'hapax')) {
      expect(decided, `decisions/ has no page for ${name}`).toContain(`dependency-${name}.md`)
    }
    expect(Object.keys(manifest.dependencies ?? {}).toSorted()).toEqual(
      installed.filter((name) => name !== 'hapax').toSorted(),
    )
  })

  test('has a working command', async () => {
    const { stdout } = await run(join(folder, 'node_modules/.bin/hapax'), ['--version'])
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+/)
  })

  test.each(['20.19.6', '22.14.0', '24.21.0'])(
    'loads on Node %s, as ES modules and as CommonJS',
    async (version) => {
      const node = await nodeBinary(version)
      const importAll = subpaths
        .map((name) => `Object.keys(await import('${name}')).length > 0 || process.exit(3)`)
        .join('\n')
      // Nest 12 is an ES module, so its CommonJS users are those of Nest 11.
      const requireAll = commonJs
        .filter((name) => name !== 'hapax/nest')
        .map((name) => `Object.keys(require('${name}')).length > 0 || process.exit(3)`)
        .join('\n')
      // Without require(esm), what loads is CommonJS to the last file.
      const loadsCommonJs = [
        process.versions.node === version ? [] : ['--no-experimental-require-module'],
      ].flat()
      expect(moduleOnly.map(nameOf)).toContain('hapax/client')
      // The peers that are imported: whoever imports hapax/react or hapax/nest has them.
      for (const name of ['react', '@nestjs', 'rxjs']) {
        const peer = join(folder, 'node_modules', name)
        if (!existsSync(peer)) symlinkSync(join(root, 'node_modules', name), peer)
      }
      writeFileSync(join(folder, 'load.mjs'), importAll)
      writeFileSync(join(folder, 'load.cjs'), requireAll)
      await run(node, ['load.mjs'], { cwd: folder })
      await run(node, [...loadsCommonJs, 'load.cjs'], { cwd: folder })
    },
    120_000,
  )

  test('serves a request and its duplicate on Node 20.19, where the memory store is all there is', async () => {
    const node = await nodeBinary('20.19.6')
    writeFileSync(join(folder, 'serve.cjs'), serveTwice)
    const { stdout } = await run(node, ['serve.cjs'], { cwd: folder })
    expect(stdout.trim()).toBe('201 first / 201 first replayed')
  }, 60_000)

  test('opening SQLite on Node 20.19 fails with a sentence that names the cure', async () => {
    const node = await nodeBinary('20.19.6')
    const script = `try { require('hapax/sqlite').sqliteStore('x.db') } catch (error) { console.log(error.code, error.message) }`
    const { stdout } = await run(node, ['-e', script], { cwd: folder })
    expect(stdout).toMatch(/^sqlite-missing .*22\.13/)
  }, 60_000)

  test('publint and attw find nothing', async () => {
    const bin = (name: string) => join(root, 'node_modules/.bin', name)
    await run(bin('publint'), ['run', tarball, '--strict'], { cwd: root })
    const names = moduleOnly.map(([subpath]) => subpath)
    await run(bin('attw'), [tarball, '--profile', 'node16', '--exclude-entrypoints', ...names], { cwd: root })
    await run(bin('attw'), [tarball, '--profile', 'esm-only', '--entrypoints', ...names], { cwd: root })
  }, 120_000)
})

const serveTwice = `
const http = require('node:http')
const { idempotency } = require('hapax/express')
const once = idempotency({ scope: false })
let runs = 0
const server = http.createServer((request, response) =>
  once(request, response, () => {
    runs += 1
    response.statusCode = 201
    response.end(runs === 1 ? 'first' : 'second')
  }))
server.listen(0, '127.0.0.1', async () => {
  const post = () => fetch('http://127.0.0.1:' + server.address().port, { method: 'POST', body: 'x', headers: { 'Idempotency-Key': 'k-1' } })
  const first = await post()
  const second = await post()
  console.log(first.status, await first.text(), '/', second.status, await second.text(),
    second.headers.get('idempotent-replayed') === 'true' ? 'replayed' : 'run again')
  server.close()
  server.closeAllConnections()
})
`
