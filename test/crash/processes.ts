import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OrderRequest, ServerSetup } from './server.ts'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly code: string | undefined
  readonly replayed: boolean
}

/** Processes that share one store and one ledger, in a folder of their own. */
export class Site {
  readonly #folder = mkdtempSync(join(tmpdir(), 'hapax-crash-'))
  readonly #servers: Server[] = []
  readonly #store: string

  constructor(store?: string) {
    this.#store = store ?? `sqlite:${join(this.#folder, 'records.sqlite')}`
    writeFileSync(this.#ledger, '')
  }

  get #ledger(): string {
    return join(this.#folder, 'ledger')
  }

  async start(options: Partial<ServerSetup> = {}): Promise<Server> {
    const setup: ServerSetup = {
      store: this.#store,
      ledger: this.#ledger,
      leaseMs: 400,
      recovery: 'refuse',
      ...options,
    }
    const server = await Server.start(setup)
    this.#servers.push(server)
    return server
  }

  charges(intent: string): number {
    return readFileSync(this.#ledger, 'utf8')
      .split('\n')
      .filter((line) => line === intent).length
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.kill()))
    if (existsSync(this.#folder)) rmSync(this.#folder, { recursive: true, force: true })
  }
}

export class Server {
  readonly #child: ChildProcess
  readonly #url: string

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.#url = `http://127.0.0.1:${port}/orders`
  }

  static async start(setup: ServerSetup): Promise<Server> {
    const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [JSON.stringify(setup)])
    const [port] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`The server ended with ${code} before it listened.`)
      }),
    ])
    return new Server(child, Number(port))
  }

  /** Rejects when the connection breaks before a whole answer. */
  async order(request: OrderRequest): Promise<Answer> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `"${request.intent}"` },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(30_000),
    })
    const body = await response.text()
    const problem = response.headers.get('content-type')?.startsWith('application/problem+json') === true
    return {
      status: response.status,
      body,
      code: problem ? (JSON.parse(body) as { code: string }).code : undefined,
      replayed: response.headers.get('idempotent-replayed') === 'true',
    }
  }

  /** Repeats the request until it gets an answer that `accept` likes. */
  async orderUntil(request: OrderRequest, accept: (answer: Answer) => boolean): Promise<Answer> {
    const giveUpAt = Date.now() + 10_000
    for (;;) {
      const answer = await this.order(request)
      if (accept(answer)) return answer
      if (Date.now() > giveUpAt) throw new Error(`Still ${answer.status} ${answer.body}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves to the exit code, or the signal that ended the process. */
  async ended(): Promise<number | NodeJS.Signals> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    if (this.#child.signalCode !== null) return this.#child.signalCode
    const [code, signal] = (await once(this.#child, 'exit')) as [number | null, NodeJS.Signals]
    return code ?? signal
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended()
  }
}
