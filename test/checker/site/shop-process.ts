import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ShopSetup } from './process.ts'

/** A process that serves the shop, and can be ended and started again in the same place. */
export class ShopProcess {
  readonly #setup: ShopSetup
  #ports: readonly number[]
  #child: ChildProcess | undefined

  constructor(setup: ShopSetup) {
    this.#setup = setup
    this.#ports = setup.ports
  }

  /** On the same ports as before, if there was a before. */
  async start(): Promise<readonly number[]> {
    const setup: ShopSetup = { ...this.#setup, ports: this.#ports }
    const child = fork(fileURLToPath(new URL('process.ts', import.meta.url)), [JSON.stringify(setup)])
    this.#child = child
    const [ports] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`The shop ended with ${code} before it listened.`)
      }),
    ])
    // What process.ts sends.
    this.#ports = ports as number[]
    return this.#ports
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}
