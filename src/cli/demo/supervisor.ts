import { type ChildProcess, fork } from 'node:child_process'
import { CommandFailure } from '../failure.ts'
import { moduleFile, ownFile } from '../own-files.ts'
import type { ShopMessage, ShopSettings } from './shop/settings.ts'

export type ShopState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'up'; readonly pid: number; readonly port: number }
  | { readonly kind: 'down' }

const program = ownFile(moduleFile('cli/demo/shop/process'))
const stopGraceMs = 10_000
const restartDelayMs = 500

/** One shop in a process of its own, which is started again whenever it dies. */
export class SupervisedShop {
  readonly #settings: ShopSettings
  readonly #onChange: () => void
  #state: ShopState = { kind: 'down' }
  #child: ChildProcess | undefined
  #restarts = 0
  #stopping = false

  constructor(settings: ShopSettings, onChange: () => void = () => {}) {
    this.#settings = settings
    this.#onChange = onChange
  }

  get state(): ShopState {
    return this.#state
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Resolves when the shop answers requests. Throws CommandFailure if it never does. */
  async start(): Promise<void> {
    await this.#launch()
    this.#child?.once('exit', () => this.#restart(0))
  }

  /** SIGKILL. False if there was nothing to kill. */
  kill(): boolean {
    return this.#child?.kill('SIGKILL') ?? false
  }

  /** Lets the shop finish what it does, then ends it for good. */
  async stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
    const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs)
    child.kill('SIGTERM')
    await ended
    clearTimeout(timer)
  }

  #restart(delayMs: number): void {
    if (this.#stopping) return
    setTimeout(() => {
      if (this.#stopping) return
      this.#restarts += 1
      this.start().catch((error: unknown) => {
        if (this.#stopping) return
        process.stderr.write(`hapax: ${String(error)}\n`)
        this.#restart(restartDelayMs)
      })
    }, delayMs)
  }

  async #launch(): Promise<void> {
    // Standard output is the demo's own: with --json it must hold nothing else.
    const child = fork(program, [JSON.stringify(this.#settings)], {
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    this.#child = child
    this.#become({ kind: 'starting' })
    child.once('exit', () => {
      this.#child = undefined
      this.#become({ kind: 'down' })
    })
    const { port } = await untilUp(child)
    this.#become({ kind: 'up', pid: child.pid ?? 0, port })
  }

  #become(state: ShopState): void {
    this.#state = state
    this.#onChange()
  }
}

function untilUp(child: ChildProcess): Promise<Extract<ShopMessage, { kind: 'up' }>> {
  return new Promise((resolve, reject) => {
    // Only a shop process writes here, and only these messages.
    child.once('message', (message: ShopMessage) => {
      if (message.kind === 'up') resolve(message)
      else reject(new CommandFailure(message.message))
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      reject(new CommandFailure(`A shop's process ended (${signal ?? `code ${code}`}) before it was up.`))
    })
  })
}
