import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Charge, chargesIn } from '../../examples/checkout-web/ledger.ts'
import { freePort } from '../../scripts/services/processes.ts'

const program = fileURLToPath(new URL('../../examples/checkout-web/server.ts', import.meta.url))

/** examples/checkout-web in a process that can be killed, and starts again on the same port, store and ledger. */
export class CheckoutServer {
  readonly port: number
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
    this.#folder = mkdtempSync(join(tmpdir(), 'hapax-checkout-'))
  }

  static async start(): Promise<CheckoutServer> {
    const server = new CheckoutServer(await freePort())
    await server.restart()
    return server
  }

  async restart(): Promise<void> {
    const env = {
      ...process.env,
      PORT: String(this.port),
      STORE: join(this.#folder, 'records.sqlite'),
      LEDGER: this.#ledger,
      // Long enough for a page to be left in the middle, on a machine that has other things to do.
      WORK_MS: '1200',
    }
    const child = fork(program, { env, silent: true })
    let output = ''
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    this.#child = child
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => {
        throw new Error(`The checkout's server did not start: ${output}`)
      }),
    ])
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async close(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }

  charges(cart: string): readonly Charge[] {
    return chargesIn(this.#ledger).filter((charge) => charge.cart === cart)
  }

  get #ledger(): string {
    return join(this.#folder, 'charges.jsonl')
  }
}
