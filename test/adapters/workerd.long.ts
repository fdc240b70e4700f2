// The adapter contract of hapax/fetch in workerd, the runtime of Cloudflare: client, handlers and server run there. One
// guard serves all requests of a server, which Workers should not do: docs/frameworks.md makes one for each request.
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { fetchOn } from '../support/adapters/fetch-handler.ts'
import { lacks } from './workerd/lacks.ts'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../tools/runtimes/', import.meta.url))
const entrypoints = Array.from('ABCDEFGH')

interface Runtime {
  readonly ready: Promise<URL>
  unsafeGetDirectURL(worker: undefined, entrypoint: string): Promise<URL>
  dispose(): Promise<void>
}

/** Cases that fail there, and what they say. The cause is known where a comment names it. */
const failing = new Map([
  // `Headers` of workerd are UTF-8 on the wire.
  ['repeats every header, in whatever case and order', 'Björn'],
  // workerd sends no Date; the network before it does.
  ['dates each answer anew', 'not strictly equal'],
  // workerd closes a connection after an answer that left much of a body unread, without hapax too.
  ['keeps the connection usable after a refusal of a request with a body', 'a whole answer; 0 bytes'],
  ['answers 413 to a body that is too large (length), before any claim', 'a whole answer; 0 bytes'],
  ['answers 413 to a body that is too large (chunked), before any claim', 'a whole answer; 0 bytes'],
  // Not looked into: likely that one request may not go on with what another one began.
  ['cuts off the answer of a run whose lease was lost after it began', 'false == true'],
  ['tells the truth when the store is down at the end, and records it later', 'the record'],
  ['records a stream whole after a reset in its middle', 'the run to end'],
  ['records a stream whole after a close in its middle', 'the run to end'],
  ["gives waiting duplicates the winner's answer", '500'],
  ['lets a waiter whose client has left go', 'not strictly equal'],
  ['lets one waiter run when the winner released the key', 'is not valid JSON'],
])

let runtime: Runtime
let ports: string
beforeAll(async () => {
  await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
  runtime = await startWorkerd()
  const urls = entrypoints.map(async (name) => [
    name,
    Number((await runtime.unsafeGetDirectURL(undefined, name)).port),
  ])
  ports = JSON.stringify(Object.fromEntries(await Promise.all(urls)))
}, 240_000)
afterAll(() => runtime.dispose())

const elsewhere = (): never => {
  throw new Error('The cases run in the Worker.')
}

testAdapter(
  {
    describe,
    test: (name) => {
      test(name, async ({ task }) => {
        const wanted = new URLSearchParams({ case: `${task.suite?.name} > ${name}`, ports })
        const reply = await fetch(`${(await runtime.ready).origin}/?${wanted.toString()}`)
        const outcome = await reply.text()
        const known = failing.get(name)
        if (known === undefined) expect(outcome).toBe('passed')
        else expect(outcome).toContain(known)
      })
    },
  },
  fetchOn('fetch', elsewhere, lacks),
)

async function startWorkerd(): Promise<Runtime> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('workerd/worker.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    conditions: ['workerd', 'worker'],
    external: ['node:*', 'cloudflare:*'],
    write: false,
  })
  // Installed just now, apart from the packages whose types are known.
  const { Miniflare } = createRequire(`${folder}package.json`)('miniflare') as {
    Miniflare: new (options: object) => Runtime
  }
  return new Miniflare({
    host: '127.0.0.1',
    port: 0,
    modules: true,
    script: outputFiles[0]?.text,
    compatibilityDate: '2026-07-01',
    compatibilityFlags: ['nodejs_compat'],
    unsafeDirectSockets: entrypoints.map((entrypoint) => ({ host: '127.0.0.1', port: 0, entrypoint })),
  })
}
