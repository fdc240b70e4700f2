import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCli } from './run-cli.ts'

interface Charge {
  order: string
  cart?: string
}

/** The page's own client, as the demo serves it. */
interface PageClient {
  newIntent(): { key: string; cart: string }
  buy(
    shop: { path: string; keyed: boolean },
    intent: { key: string; cart: string },
    wishes: Record<string, unknown>,
    tell: (event: { type: string }) => void,
  ): Promise<readonly { status?: number; code?: string; order?: string; found?: boolean }[]>
}

/** A lease, and the time that a process takes to start on a machine that does other things. */
const killTimeoutMs = 60_000

const demo = startCli('demo', '--port', '0')
let printed = ''
let url = ''
let client: PageClient

beforeAll(async () => {
  demo.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  while (!printed.includes('Ctrl-C')) await sleep(20)
  url = /Open {2}(http:\S+)/.exec(printed)?.[1] ?? ''
  // The page's module, with the library that the demo serves beside it.
  const source = await (await fetch(`${url}/client.js`)).text()
  const runnable = source.replace("'/hapax/", `'${new URL('../../src/', import.meta.url).href}`)
  client = await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(runnable)}`)
})

afterAll(() => void demo.kill('SIGTERM'))

test('the printed curl lines show a first answer, its replay, and the refusal of another order', async () => {
  const [first, otherOrder] = curlLines(printed)
  if (first === undefined || otherOrder === undefined) throw new Error(`No curl lines in: ${printed}`)

  const answer = await send(first)
  expect(answer).toMatchObject({ status: 201, replayed: null })
  const duplicate = await send(first)
  expect(duplicate).toMatchObject({ status: 201, replayed: 'true', contentType: answer.contentType })
  expect(duplicate.body.equals(answer.body)).toBe(true)
  expect(await send(otherOrder)).toMatchObject({ status: 422, contentType: 'application/problem+json' })
  expect(await charges('/orders')).toHaveLength(1)
})

test(
  'the printed kill really kills the server, and the order that was charged is found out',
  async () => {
    const killing = curlLines(printed)[2]
    if (killing === undefined) throw new Error(`No third curl line in: ${printed}`)
    const before = await charges('/orders')
    const [pid] = await pids()
    await expect(send(killing)).rejects.toThrow('fetch failed')

    const calm = { ...killing, headers: { ...killing.headers } }
    delete calm.headers['Demo-Fault']
    const statuses = new Set<number>()
    let answer = await send(calm)
    for (; answer.status !== 201; answer = await send(calm)) {
      statuses.add(answer.status)
      await sleep(100)
    }
    expect([409, 503]).toEqual(expect.arrayContaining([...statuses]))
    const after = await charges('/orders')
    expect(after).toHaveLength(before.length + 1)
    expect(JSON.parse(answer.body.toString()).order).toBe(after.at(-1)?.order)
    expect((await pids())[0]).not.toBe(pid)
  },
  killTimeoutMs,
)

test('the page: a double click whose first answer is lost charges once, and without hapax more often', async () => {
  const { kept, lost } = await buyInBothShops({ double: true, lost: true })
  expect(kept.ends.map(({ status }) => status)).toEqual([201, 201])
  expect(kept.charges).toHaveLength(1)
  expect(kept.ends.map(({ order }) => order)).toEqual([kept.charges[0]?.order, kept.charges[0]?.order])
  // Two clicks, and the try after the lost answer.
  expect(lost.charges).toHaveLength(3)
})

test(
  'the page: a server killed with three orders in its hands',
  async () => {
    // The first two are at work for 4 s, so the kill finds them before their charge; the third is charged.
    const uncharged = buyInBothShops({ slow: true })
    const refused = buyInBothShops({ slow: true, recovery: 'refuse' })
    await sleep(200)
    const charged = buyInBothShops({ kill: true, moment: 'kill-after-charge' })

    const found = (await charged).kept
    expect(found.charges).toHaveLength(1)
    expect(found.ends).toMatchObject([{ status: 201, order: found.charges[0]?.order, found: true }])
    expect((await charged).lost.charges).toHaveLength(2)

    const runAgain = (await uncharged).kept
    expect(runAgain.charges).toHaveLength(1)
    expect(runAgain.ends).toMatchObject([{ status: 201, order: runAgain.charges[0]?.order, found: false }])

    const unknown = (await refused).kept
    expect(unknown.charges).toHaveLength(0)
    expect(unknown.ends).toMatchObject([{ status: 409, code: 'outcome-unknown' }])
  },
  killTimeoutMs,
)

test('the page and its files are served, and nothing else', async () => {
  const page = await fetch(url)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const files = [...(await page.text()).matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => path)
  expect(files).toEqual(['/style.css', '/main.js'])
  for (const path of [...files, '/client.js', '/view.js']) expect((await fetch(url + path)).status).toBe(200)
  const modules = await modulesFrom('/client.js')
  expect(modules).toContain('/hapax/protocol/key-form.ts')
  for (const path of modules) {
    const module = await fetch(url + path)
    expect([path, module.status, module.headers.get('content-type')]).toEqual([
      path,
      200,
      'text/javascript; charset=utf-8',
    ])
  }
  for (const path of [
    '/package.json',
    '/hapax/core/engine.ts',
    '/hapax/client/../core/engine.ts',
    '/hapax/client/none.ts',
  ]) {
    expect((await fetch(url + path)).status).toBe(404)
  }
})

test('Ctrl-C ends every process and removes the temporary folder', async () => {
  const [one = 0, two = 0] = await pids()
  const folder = /sqlite:(.+)\/records\.db/.exec(printed)?.[1] ?? ''
  expect([isAlive(one), isAlive(two), existsSync(folder)]).toEqual([true, true, true])
  demo.kill('SIGINT')
  const [exitCode] = await once(demo, 'exit')
  expect(exitCode).toBe(0)
  expect([isAlive(one), isAlive(two), existsSync(folder)]).toEqual([false, false, false])
})

/** What a browser loads for a module of the page, the module left out. */
async function modulesFrom(path: string): Promise<readonly string[]> {
  const source = await (await fetch(url + path)).text()
  const paths = [...source.matchAll(/^(?:import|export) .*?from '([./][^']+)'/gms)].map(
    ([, specifier = '']) => new URL(specifier, url + path).pathname,
  )
  const further = await Promise.all(paths.map(modulesFrom))
  return [...new Set([...paths, ...further.flat()])]
}

async function buyInBothShops(wishes: Record<string, unknown>) {
  const intent = client.newIntent()
  const buy = async (path: string, keyed: boolean) => {
    const ends = await client.buy({ path: url + path, keyed }, intent, wishes, () => {})
    const charged = await charges(path)
    return { ends, charges: charged.filter(({ cart }) => cart === intent.cart) }
  }
  const [kept, lost] = await Promise.all([buy('/orders', true), buy('/unprotected/orders', false)])
  return { kept, lost }
}

async function charges(path: string): Promise<readonly Charge[]> {
  for (;;) {
    const answer = await fetch(url + path)
    const body = await answer.text()
    if (answer.status === 200) return JSON.parse(body)
    await sleep(50)
  }
}

/** The shops' processes, as the page is told. */
async function pids(): Promise<readonly number[]> {
  const events = await fetch(`${url}/events`)
  const reader = events.body?.getReader()
  try {
    for (;;) {
      const event = await reader?.read()
      if (event?.value === undefined) throw new Error('The live view ended.')
      const text = new TextDecoder().decode(event.value)
      const shops: { pid?: number }[] = JSON.parse(text.slice('data: '.length)).shops
      const ids = shops.flatMap(({ pid }) => pid ?? [])
      if (ids.length === shops.length) return ids
    }
  } finally {
    await reader?.cancel()
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

interface CurlLine {
  url: string
  headers: Record<string, string>
  body: string
}

/** The order lines of the instructions, read as a shell reads them. */
function curlLines(instructions: string): CurlLine[] {
  const lines = instructions.replaceAll('\\\n', ' ').split('\n')
  return lines.filter((line) => line.startsWith('  curl -i')).map((line) => parseCurl(words(line)))
}

function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}

function parseCurl([, , target = '', ...options]: readonly string[]): CurlLine {
  const parsed: CurlLine = { url: target, headers: {}, body: '' }
  for (let index = 0; index < options.length; index += 2) {
    const value = options[index + 1] ?? ''
    const [name = '', content = ''] = value.split(': ')
    if (options[index] === '-H') parsed.headers[name] = content
    else if (options[index] === '-d') parsed.body = value
    else throw new Error(`Not an option of the demo's curl lines: ${options[index]}`)
  }
  return parsed
}

async function send({ url: target, ...line }: CurlLine) {
  const { status, headers, ...answer } = await fetch(target, { method: 'POST', ...line }).then(
    async (got) => ({
      status: got.status,
      headers: got.headers,
      body: Buffer.from(await got.arrayBuffer()),
    }),
  )
  return {
    ...answer,
    status,
    replayed: headers.get('Idempotent-Replayed'),
    contentType: headers.get('Content-Type'),
  }
}
