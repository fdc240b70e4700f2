import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPool, type RowDataPacket } from 'mysql2/promise'
import { Pool } from 'pg'
import { createOrders } from '../../../examples/checkout/orders.ts'
import { fakeServices } from '../../../examples/checkout/fake-services.ts'
import { createOrders as createMariaDbOrders } from '../../../examples/checkout-mariadb/orders.ts'
import type { PointSettings } from './points.ts'
import type { CheckoutSetup } from './process.ts'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
}

type Recovery = CheckoutSetup['recovery']

/** Everything that the processes of one checkout share, and that outlives them. */
export class CheckoutSite {
  readonly #setup: Omit<CheckoutSetup, 'recovery'>
  readonly #folder = mkdtempSync(join(tmpdir(), 'hapax-checkout-'))
  readonly #services: Server
  readonly #servicesUrl: string
  readonly #countOrders: (email: string) => Promise<number>
  readonly #closeDatabase: () => Promise<void>
  readonly #processes: CheckoutProcess[] = []
  #count = 0

  private constructor(
    setup: Pick<CheckoutSetup, 'kind' | 'database' | 'leaseMs'> & { readonly records?: string },
    database: { count(email: string): Promise<number>; close(): Promise<void> },
    services: Server,
  ) {
    const { port } = services.address() as AddressInfo
    this.#services = services
    this.#servicesUrl = `http://127.0.0.1:${port}`
    this.#setup = { records: join(this.#folder, 'records.db'), ...setup, services: this.#servicesUrl }
    this.#countOrders = database.count
    this.#closeDatabase = database.close
  }

  /** @param redis Where records are; default: a file of SQLite. */
  static async onPostgres(url: string, leaseMs: number, redis?: string): Promise<CheckoutSite> {
    const pool = new Pool({ connectionString: url, max: 2 })
    await pool.query(createOrders)
    const count = async (email: string) => {
      const text = 'SELECT count(*)::int AS count FROM orders WHERE email = $1'
      return (await pool.query<{ count: number }>(text, [email])).rows[0]?.count ?? 0
    }
    return new CheckoutSite(
      { kind: 'postgres', database: url, leaseMs, ...(redis !== undefined && { records: redis }) },
      { count, close: () => pool.end() },
      await listening(),
    )
  }

  static async onMariaDb(url: string, redis: string, leaseMs: number): Promise<CheckoutSite> {
    const pool = createPool({ uri: url, connectionLimit: 2 })
    await pool.query(createMariaDbOrders)
    const count = async (email: string) => {
      const text = 'SELECT COUNT(*) AS count FROM orders WHERE email = ?'
      const [rows] = await pool.query<RowDataPacket[]>(text, [email])
      return Number(rows[0]?.['count'])
    }
    return new CheckoutSite(
      { kind: 'mariadb', database: url, records: redis, leaseMs },
      { count, close: () => pool.end() },
      await listening(),
    )
  }

  /** With `accident`, the process tells its points, and meets it in its first request. */
  async start(
    recovery: Recovery,
    accident?: Pick<PointSettings, 'killAt' | 'stopAtAnswer'>,
  ): Promise<CheckoutProcess> {
    this.#count += 1
    const log = join(this.#folder, `points-${this.#count}`)
    const points = accident && { points: { ...accident, log, peers: this.#peers() } }
    const started = await CheckoutProcess.start({ ...this.#setup, recovery, ...points }, log)
    this.#processes.push(started)
    return started
  }

  /** How often each effect of a customer's happened: charges, orders and receipts. */
  async effects(customer: number): Promise<readonly number[]> {
    const list = async (kind: string) =>
      (await (await fetch(`${this.#servicesUrl}/${kind}`)).json()) as Array<{
        cents?: number
        email?: string
      }>
    const [charges, mails] = await Promise.all([list('charges'), list('mails')])
    return [
      charges.filter(({ cents }) => cents === customer).length,
      await this.#countOrders(emailOf(customer)),
      mails.filter(({ email }) => email === emailOf(customer)).length,
    ]
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((started) => started.kill()))
    await this.#closeDatabase()
    this.#services.close()
    this.#services.closeAllConnections()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #peers(): Record<number, string> {
    const { records, database, services } = this.#setup
    const redis = records.startsWith('redis:') ? { [portOf(records)]: 'redis' } : {}
    return { ...redis, [portOf(database)]: 'database', [portOf(services)]: 'services' }
  }
}

export class CheckoutProcess {
  readonly #child: ChildProcess
  readonly #url: string
  readonly #log: string

  private constructor(child: ChildProcess, port: number, log: string) {
    this.#child = child
    this.#url = `http://127.0.0.1:${port}/orders`
    this.#log = log
  }

  static async start(setup: CheckoutSetup, log: string): Promise<CheckoutProcess> {
    const child = fork(fileURLToPath(new URL('process.ts', import.meta.url)), [JSON.stringify(setup)])
    const [port] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`The checkout ended with ${code} before it listened.`)
      }),
    ])
    return new CheckoutProcess(child, Number(port), log)
  }

  /** The points that it reached, in order. */
  points(): string[] {
    return readFileSync(this.#log, 'utf8').split('\n').slice(0, -1)
  }

  /** Rejects when the connection breaks before a whole answer. */
  async order(customer: number): Promise<Answer> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `"order-${customer}"` },
      body: JSON.stringify({ email: emailOf(customer), item: 'book', cents: customer }),
      signal: AbortSignal.timeout(30_000),
    })
    const replayed = response.headers.get('idempotent-replayed') === 'true'
    return { status: response.status, body: await response.text(), replayed }
  }

  /** Repeats the request as a client does: for as long as it may have another answer soon. */
  async orderUntilSettled(customer: number): Promise<Answer> {
    const giveUpAtMs = performance.now() + 30_000
    for (;;) {
      const answer = await this.order(customer)
      // On a busy machine a survivor may lose its own lease, and answers 500.
      if (answer.status < 500 && !answer.body.includes('"retryable":true')) return answer
      if (performance.now() > giveUpAtMs) throw new Error(`Still ${answer.status} ${answer.body}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** True while a signal holds it up. */
  isStopped(): boolean {
    return /^State:\s+T/m.test(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))
  }

  async stopped(): Promise<void> {
    while (!this.isStopped()) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }
}

async function listening(): Promise<Server> {
  const services = fakeServices().listen(0, '127.0.0.1')
  await once(services, 'listening')
  return services
}

function emailOf(customer: number): string {
  return `${customer}@example.com`
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}
