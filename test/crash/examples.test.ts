// The examples as their README starts them, on real servers.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fakeServices } from '../../examples/checkout/fake-services.ts'
import { startMariaDb, startPostgres, startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'

const services = fakeServices()
const folder = mkdtempSync(join(tmpdir(), 'hapax-examples-'))
const children: ChildProcess[] = []

beforeAll(async () => {
  services.listen(0, '127.0.0.1')
  await once(services, 'listening')
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  services.close()
  services.closeAllConnections()
  rmSync(folder, { recursive: true })
})

const started = await servers(() => Promise.all([startPostgres(), startMariaDb(), startRedis()]))
if (started !== undefined) {
  const [postgres, mariaDb, redis] = started
  afterAll(() => Promise.all(started.map((server) => server.stop())))
  const records = join(folder, 'records.db')
  test.each([
    ['checkout', { DATABASE_URL: postgres.url, RECORDS: records }],
    ['checkout-mariadb', { DATABASE_URL: mariaDb.url, REDIS_URL: redis.url }],
  ])('%s: the same order twice is one', async (name, settings) => {
    const { url, end } = await start(name, settings)
    const order = async () => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Idempotency-Key': `"${name}"`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: `${name}@example.com`, item: 'book', cents: 1900 }),
      })
      const replayed = response.headers.get('idempotent-replayed')
      return { status: response.status, body: await response.text(), replayed }
    }
    const first = await order()
    expect(first).toMatchObject({ status: 201, replayed: null })
    expect(await order()).toEqual({ ...first, replayed: 'true' })
    expect(await mailsTo(`${name}@example.com`)).toBe(1)
    expect(await end()).toBe(0)
  })
}

async function start(name: string, settings: Record<string, string>) {
  const file = fileURLToPath(new URL(`../../examples/${name}/server.ts`, import.meta.url))
  const env = { ...process.env, ...settings, SERVICES_URL: servicesUrl(), PORT: '0' }
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`The example ended with ${code} before it listened.`)
    }),
  ])) as [Buffer]
  const end = async () => {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    return (await ended)[0] as number | null
  }
  return { url: line.toString().trim(), end }
}

async function mailsTo(email: string): Promise<number> {
  const mails = (await (await fetch(`${servicesUrl()}/mails`)).json()) as Array<{ email: string }>
  return mails.filter((mail) => mail.email === email).length
}

function servicesUrl(): string {
  return `http://127.0.0.1:${(services.address() as AddressInfo).port}`
}
