import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Handler } from './variants.ts'

type Message =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'cpu'; readonly micros: number }

/** A server of `server.ts` in a child process. */
export class Served {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}/orders`
  }

  /** @param file For a store in a file. */
  static async start(handler: Handler, file: string, redisUrl: string): Promise<Served> {
    const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [handler, file, redisUrl])
    const message = await nextMessage(child)
    if (message.kind !== 'listening') throw new Error('The benchmark server did not start.')
    return new Served(child, message.port)
  }

  async cpuMicros(): Promise<number> {
    this.#child.send('cpu')
    const message = await nextMessage(this.#child)
    if (message.kind !== 'cpu') throw new Error('The benchmark server did not answer.')
    return message.micros
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.disconnect()
    await once(this.#child, 'exit')
  }
}

async function nextMessage(child: ChildProcess): Promise<Message> {
  // What our own server sends.
  const [message] = (await once(child, 'message')) as [Message]
  return message
}
