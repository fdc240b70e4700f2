import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CheckOptions } from '../../../src/checker/run.ts'
import { startOwnRedis } from '../../../scripts/services/index.ts'
import { startHttp2Front } from './http2-front.ts'
import { ShopProcess } from './shop-process.ts'

/** A shop behind hapax, and everything that the checker can be told about it. */
export interface Site {
  readonly options: CheckOptions
  close(): Promise<void>
}

type Hooks = NonNullable<CheckOptions['hooks']>

/** Two instances in one process, which is all that memory can be shared by. The key is optional here. */
export async function memorySite(): Promise<Site> {
  const folder = temporaryFolder()
  const ledger = join(folder, 'ledger')
  const shop = new ShopProcess({ store: 'memory', ledger, required: false, ports: [0, 0] })
  const [first, second] = await shop.start()
  return siteOf({ first, second, shops: [shop], folder, hooks: {} })
}

/** Two processes on one file. The store is down while another connection holds the file's lock. */
export async function sqliteSite(): Promise<Site> {
  const folder = temporaryFolder()
  const file = join(folder, 'records.db')
  let lock: DatabaseSync | undefined
  return twoProcesses(`sqlite:${file}`, folder, {
    storeDown: async () => {
      lock = new DatabaseSync(file, { timeout: 5000 })
      lock.exec('BEGIN EXCLUSIVE')
    },
    storeUp: async () => lock?.close(),
  })
}

/** Two processes on a Redis of their own, which is down while it is stopped. */
export async function redisSite(): Promise<Site> {
  const redis = await startOwnRedis()
  const site = await twoProcesses(redis.url, temporaryFolder(), {
    storeDown: async () => redis.signal('SIGSTOP'),
    storeUp: async () => redis.signal('SIGCONT'),
  })
  return {
    ...site,
    close: async () => {
      await site.close()
      await redis.stop()
    },
  }
}

async function twoProcesses(store: string, folder: string, outage: Hooks): Promise<Site> {
  const setup = { store, ledger: join(folder, 'ledger'), required: true, ports: [0] }
  const [one, two] = [new ShopProcess(setup), new ShopProcess(setup)]
  const [[first], [second]] = await Promise.all([one.start(), two.start()])
  const hooks: Hooks = {
    restart: async () => {
      await one.end('SIGTERM')
      await one.start()
    },
    kill: () => one.end('SIGKILL'),
    terminate: () => one.end('SIGTERM'),
    start: async () => void (await one.start()),
    ...outage,
  }
  return siteOf({ first, second, shops: [one, two], folder, hooks })
}

interface Parts {
  readonly first: number | undefined
  readonly second: number | undefined
  readonly shops: readonly ShopProcess[]
  readonly folder: string
  readonly hooks: Hooks
}

async function siteOf({ first = 0, second = 0, shops, folder, hooks }: Parts): Promise<Site> {
  const front = await startHttp2Front(first)
  return {
    options: {
      url: `http://127.0.0.1:${first}/op`,
      secondUrl: `http://127.0.0.1:${second}/op`,
      http2Url: `http://127.0.0.1:${front.port}/op`,
      docs: `http://127.0.0.1:${first}/docs`,
      fixture: true,
      headers: ['Authorization: Bearer tenant-a'],
      secondTenant: 'Authorization: Bearer tenant-b',
      secondCredential: 'Authorization: Bearer tenant-a-2',
      hooks,
    },
    close: async () => {
      front.close()
      await Promise.all(shops.map((shop) => shop.end('SIGKILL')))
      rmSync(folder, { recursive: true })
    },
  }
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'hapax-site-'))
}
