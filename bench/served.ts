import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Program } from './variants.ts'

export interface Places {
  /** For a store in a file. */
  readonly file: string
  readonly redisUrl: string
  readonly postgresUrl: string
}

interface ForkOptions {
  readonly errors?: 'inherit' | 'ignore'
  readonly environment?: Readonly<Record<string, string>>
}

/** A server in a child process. */
export class Served {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}/orders`
  }

  static start(program: Program, { file, redisUrl, postgresUrl }: Places): Promise<Served> {
    if (program.kind === 'ours') {
      return Served.fork('server.ts', [program.framework, program.work, file, redisUrl, postgresUrl])
    }
    return Served.fork(`peers/servers/${program.name}.mjs`, [], {
      // Warnings of other libraries are not what is measured.
      errors: 'ignore',
      environment: { REDIS_URL: redisUrl, LEDGER: '/dev/null', PORT: '0' },
    })
  }

  /** @param path From this folder: a program that sends its port once it listens, and ends when it is disconnected. */
  static async fork(
    path: string,
    args: readonly string[],
    { errors = 'inherit', environment = {} }: ForkOptions = {},
  ): Promise<Served> {
    const child = fork(fileURLToPath(new URL(path, import.meta.url)), args, {
      env: { ...process.env, NODE_ENV: 'production', ...environment },
      stdio: ['ignore', 'ignore', errors, 'ipc'],
    })
    const [port] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => {
        throw new Error(`${path} ${args.join(' ')} ended before it listened.`)
      }),
    ])
    return new Served(child, Number(port))
  }

  /** CPU time of all threads of the process, from Linux, which counts it in nanoseconds. */
  cpuMicros(): number {
    const threads = `/proc/${this.#child.pid}/task`
    const nanos = readdirSync(threads).map((thread) =>
      Number(readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ', 1)[0]),
    )
    return nanos.reduce((sum, value) => sum + value, 0) / 1_000
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.disconnect()
    await once(this.#child, 'exit')
  }
}
