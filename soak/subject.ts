import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Sample } from './server.ts'

type Told =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'sample'; readonly sample: Sample }

/** A server under test, on one store. */
export class Subject {
  readonly store: string
  readonly port: number
  readonly #child: ChildProcess

  private constructor(store: string, child: ChildProcess, port: number) {
    this.store = store
    this.#child = child
    this.port = port
  }

  /** @param url Of the store, as `storeOf` takes it. */
  static async start(store: string, url: string): Promise<Subject> {
    const file = fileURLToPath(new URL('server.ts', import.meta.url))
    const child = fork(file, [url], { execArgv: ['--expose-gc'] })
    const told = await nextMessage(child)
    if (told.kind !== 'listening') throw new Error(`The server on ${store} did not listen.`)
    return new Subject(store, child, told.port)
  }

  async sample(): Promise<Sample> {
    this.#child.send('sample')
    const told = await nextMessage(this.#child)
    if (told.kind !== 'sample')
      throw new Error(`The server on ${this.store} sent something else than a sample.`)
    return told.sample
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.send('stop')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(timer)
  }
}

async function nextMessage(child: ChildProcess): Promise<Told> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`The server ended with ${code}.`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      // Our own server sends nothing else.
      resolve(message as Told)
    })
  })
}
