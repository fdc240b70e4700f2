// Server processes that come and go, each on a port that stays its own.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '../../scripts/services/processes.ts'
import type { Order } from './setup.ts'

export interface FleetOptions {
  readonly processes: number
  /** The file to run, which tells its port by a message once it listens. */
  readonly program: string
  readonly environment: Readonly<Record<string, string>>
}

export class FleetMember {
  readonly port: number
  readonly #options: FleetOptions
  #child: ChildProcess | undefined
  #expectsToEnd = false
  #complaint = ''
  /** Ends that nobody asked for, with the last words of each. */
  readonly crashes: string[] = []

  constructor(port: number, options: FleetOptions) {
    this.port = port
    this.#options = options
  }

  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#expectsToEnd = false
    this.#complaint = ''
    const child = fork(this.#options.program, {
      env: { ...process.env, ...this.#options.environment, ...environment, PORT: String(this.port) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    child.stderr?.on('data', (chunk) => {
      this.#complaint = `${this.#complaint}${String(chunk)}`.slice(-2_000)
    })
    const listening = once(child, 'message')
    const ended = once(child, 'exit').then(() => this.#complaint)
    const complaint = await Promise.race([listening.then(() => undefined), ended])
    if (complaint !== undefined) throw new Error(`A server ended before it listened: ${complaint}`)
    child.once('exit', () => {
      if (!this.#expectsToEnd) this.#crashed()
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  tell(order: Order): void {
    this.#child?.send(order)
  }

  /** Ends it by `signal`, and waits until it is gone; by SIGKILL where that takes longer than `graceMs`. */
  async end(signal: NodeJS.Signals, graceMs = 10_000): Promise<void> {
    const child = this.#child
    this.#expectsToEnd = true
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    const impatience = setTimeout(() => child.kill('SIGKILL'), graceMs)
    await gone
    clearTimeout(impatience)
  }

  /** As in production, a server that crashes is started again. That it crashed is a finding. */
  #crashed(): void {
    this.crashes.push(this.#complaint.trim() || 'it ended without a word')
    this.start().catch((error: unknown) => this.crashes.push(String(error)))
  }
}

export interface Fleet {
  readonly members: readonly FleetMember[]
  stop(): Promise<void>
}

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const members: FleetMember[] = []
  for (let index = 0; index < options.processes; index += 1) {
    members.push(new FleetMember(await freePort(), options))
  }
  const stop = async () => {
    await Promise.all(members.map((member) => member.end('SIGKILL')))
  }
  try {
    await Promise.all(members.map((member) => member.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return { members, stop }
}
