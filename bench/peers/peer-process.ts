import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface PeerSetup {
  readonly name: string
  readonly redisUrl: string
  readonly ledger: string
  readonly dynamodbUrl?: string
}

/** One instance of a peer's server. As in production, it is started again when it crashes; that is counted. */
export class PeerProcess {
  readonly #setup: PeerSetup
  #child: ChildProcess | undefined
  #stopping = false
  port = 0
  crashes = 0

  constructor(setup: PeerSetup) {
    this.#setup = setup
  }

  async start(): Promise<void> {
    const { name, redisUrl, ledger, dynamodbUrl } = this.#setup
    const child = fork(fileURLToPath(new URL(`servers/${name}.mjs`, import.meta.url)), {
      env: {
        ...process.env,
        NODE_ENV: 'production',
        REDIS_URL: redisUrl,
        LEDGER: ledger,
        PORT: String(this.port),
        ...(dynamodbUrl !== undefined && { DYNAMODB_URL: dynamodbUrl }),
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    let complaint = ''
    child.stderr?.on('data', (chunk) => {
      complaint = `${complaint}${String(chunk)}`.slice(-2000)
    })
    const [port] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => {
        throw new Error(`${name} ended before it listened:\n${complaint}`)
      }),
    ])
    this.port = Number(port)
    child.once('exit', () => {
      if (this.#stopping) return
      this.crashes += 1
      void this.start()
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
}
