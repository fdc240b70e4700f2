// Tests what ships: the packed tarball, installed in an empty folder, on every Node that it supports.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
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
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startOwnRedis } from '../scripts/services/index.ts'
import { nodeBinary } from './support/node-binary.ts'
import { controlOf } from './support/redis-connections.ts'
import { servers } from './support/servers.ts'

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

  test('has a demo, whose page gets the client and nothing else', async () => {
    const demo = spawn(join(folder, 'node_modules/.bin/hapax'), ['demo', '--port', '0'], { cwd: folder })
    try {
      let printed = ''
      demo.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
      while (!printed.includes('Ctrl-C')) await sleep(20)
      const url = /Open {2}(http:\S+)/.exec(printed)?.[1] ?? ''
      const files = await modulesFrom(`${url}/client.js`)
      expect(files.length).toBeGreaterThan(1)
      for (const file of files)
        expect(file).toMatch(/\/hapax\/client\/(?:index|chunks\/[a-z]+-[0-9a-f]+)\.js$/)
      const order = () =>
        fetch(`${url}/orders`, {
          method: 'POST',
          headers: { 'Idempotency-Key': 'packed', 'Content-Type': 'application/json' },
          body: '{"item":"book","quantity":1}',
        })
      expect((await order()).status).toBe(201)
      expect((await order()).headers.get('Idempotent-Replayed')).toBe('true')
    } finally {
      demo.kill('SIGTERM')
      await once(demo, 'exit')
    }
  }, 60_000)

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

/** What a browser loads for a module, itself left out. */
async function modulesFrom(url: string): Promise<readonly string[]> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  const imported = [...(await answer.text()).matchAll(/^(?:import|export) .*?from ['"]([./][^'"]+)['"]/gms)]
  const urls = imported.map(([, specifier = '']) => new URL(specifier, url).href)
  return [...new Set([...urls, ...(await Promise.all(urls.map(modulesFrom))).flat()])]
}

// A server that has never seen a script of ours; the file that has them is away for the first claim.
const late = `
async function main([port, format], { createIdempotency }, express, { redisStore }, { Redis }, { readdirSync, renameSync }) {
  const chunks = 'node_modules/hapax/dist/' + format + '/chunks/'
  const scripts = chunks + readdirSync(chunks).find((name) => /^script-sources-\\w+\\.js$/.test(name))
  const client = new Redis(Number(port), '127.0.0.1')
  const store = redisStore(client, { silence: ['redis-not-persistent'] })
  const once = createIdempotency({ store })
  let ran = 0
  const runOnce = (key) => once.run({ key, scope: false, payload: 1 }, () => ++ran).catch((error) => error.code)
  renameSync(scripts, chunks + 'away')
  console.log('without the scripts: ' + (await runOnce('a')) + ', ran ' + ran)
  renameSync(chunks + 'away', scripts)
  console.log('with them: ' + (await runOnce('b')) + ', ran ' + ran)
  console.log('records: ' + (await store.inspect.list({ limit: 9 })).records.map(({ state }) => state))
  await once.close()
  client.disconnect()
  const inMemory = express.idempotency({ scope: false })
  await inMemory.run({ key: 'c', scope: false, payload: 1 }, () => ++ran)
  console.log('default store: ' + (await inMemory.run({ key: 'c', scope: false, payload: 1 }, () => ++ran)))
  await inMemory.close()
}
`
const lateNames = ['hapax', 'hapax/express', 'hapax/redis', 'ioredis', 'node:fs']
const lateModule = `${late}
main(process.argv.slice(2), ${lateNames.map((name) => `await import('${name}')`).join(', ')})`
const lateCommonJs = `${late}
main(process.argv.slice(2), ${lateNames.map((name) => `require('${name}')`).join(', ')})`

const redis = await servers(() => startOwnRedis())
if (redis !== undefined) {
  const control = controlOf(redis.url)
  afterAll(() => redis.stop())

  test.each(['esm', 'cjs'])(
    '%s: what is loaded when it is used is there on Node 20.19',
    async (format) => {
      const ioredis = join(folder, 'node_modules/ioredis')
      if (!existsSync(ioredis)) symlinkSync(join(root, 'node_modules/ioredis'), ioredis)
      const file = format === 'esm' ? 'late.mjs' : 'late.cjs'
      writeFileSync(join(folder, file), format === 'esm' ? lateModule : lateCommonJs)
      const options = format === 'esm' ? [] : ['--no-experimental-require-module']
      const node = await nodeBinary('20.19.6')
      await control.flushall()
      await control.script('FLUSH')
      const { stdout } = await run(node, [...options, file, String(redis.port), format], { cwd: folder })
      expect(stdout.trim().split('\n')).toEqual([
        'without the scripts: store-unavailable, ran 0',
        'with them: 1, ran 1',
        'records: completed',
        'default store: 2',
      ])
    },
    60_000,
  )
}

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
