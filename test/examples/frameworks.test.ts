// The examples of the frameworks, as `npm run example` starts them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { startPostgres, startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-example-servers-'))
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

const remote = await servers(() => Promise.all([startRedis(), startPostgres()]))
afterAll(() => Promise.all(remote?.map((server) => server.stop()) ?? []))

const cases: Array<[framework: string, store: string]> = [
  ['express', `sqlite:${join(folder, 'express.db')}`],
  ['fastify', 'memory'],
  ['koa', 'memory'],
  ['fetch', `sqlite:${join(folder, 'fetch.db')}`],
  ['node', 'memory'],
  ...(remote === undefined ? [] : remoteCases(remote)),
]

function remoteCases([redis, postgres]: NonNullable<typeof remote>): typeof cases {
  return [
    ['hono', redis.url],
    ['nest', postgres.url],
  ]
}

describe('each example', () => {
  test.concurrent.each(cases)(
    '%s on %s: the same order twice is one',
    async (framework, store) => {
      const { url, stop } = await start(framework, { STORE: store })
      const key = `"${crypto.randomUUID()}"`
      const first = await order(url, key)
      expect(first).toMatchObject({ status: 201, replayed: null })
      expect(await order(url, key)).toEqual({ ...first, replayed: 'true' })
      expect(await (await fetch(`${url}/effects`)).json()).toEqual({ count: 1 })
      await order(url, `"${crypto.randomUUID()}"`)
      expect(await (await fetch(`${url}/effects`)).json()).toEqual({ count: 2 })
      expect(await stop()).toBe(0)
    },
    40_000,
  )
})

describe('a wrong setting ends it with one line', () => {
  test.concurrent.each([
    [{ PORT: 'http' }, /^PORT is http; give a number from 0 to 65535\.\n$/],
    [{ STORE: 'mongodb://shop' }, /^STORE is mongodb:\/\/shop; give memory, sqlite:FILE, .*\n$/],
    [{ STORE: `sqlite:${join(folder, 'no-folder/keys.db')}` }, /^STORE: sqlite:\S+ can not be opened: .+\n$/],
    [{ STORE: 'redis://127.0.0.1:1' }, /^STORE: redis:\S+ can not be opened: .*ECONNREFUSED.*\n$/],
    [
      { STORE: 'postgres://ann:secret@127.0.0.1:1/shop' },
      /^STORE: postgres:\/\/ann:\*\*\*@\S+ can not be opened: .*ECONNREFUSED.*\n$/,
    ],
  ])('%j', async (settings, line) => {
    expect(await failureOf(run('node', settings))).toEqual({ code: 1, line: expect.stringMatching(line) })
  })

  test.concurrent('a port that is taken', async () => {
    const { url } = await start('node', {})
    const failure = await failureOf(run('express', { PORT: new URL(url).port }))
    expect(failure).toEqual({ code: 1, line: expect.stringMatching(/^.*EADDRINUSE.*\n$/) })
  })

  test.concurrent('an example that is none', async () => {
    const failure = await failureOf(run('rails', {}))
    expect(failure).toEqual({ code: 2, line: expect.stringMatching(/^Usage: npm run example -- .*koa.*\n$/) })
  })
})

async function order(url: string, key: string) {
  const response = await fetch(`${url}/api/orders`, {
    method: 'POST',
    headers: { 'Idempotency-Key': key, 'Content-Type': 'application/json' },
    body: JSON.stringify({ item: 'book' }),
  })
  const replayed = response.headers.get('idempotent-replayed')
  return { status: response.status, body: await response.text(), replayed }
}

async function start(framework: string, settings: Record<string, string>) {
  const child = run(framework, settings)
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    failureOf(child).then(({ code, line: why }) => {
      throw new Error(`The example ended with ${code} before it listened: ${why}`)
    }),
  ])) as [Buffer]
  const url =
    /^Listening on (?<url>http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line.toString())?.groups?.['url'] ?? ''
  const stop = async () => {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    return (await ended)[0] as number | null
  }
  return { url, stop }
}

function run(framework: string, settings: Record<string, string>) {
  const script = fileURLToPath(new URL('../../scripts/example.ts', import.meta.url))
  const env = { ...process.env, PORT: '0', STORE: 'memory', ...settings }
  const child = spawn(process.execPath, [script, framework], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

async function failureOf(child: ReturnType<typeof run>) {
  const [line, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  return { code: code as number | null, line }
}
