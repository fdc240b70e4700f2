import { type ErrorCode, IdempotencyError, nameAndMessage } from '../../core/errors.ts'
import { keyOf } from '../encoding/key.ts'
import { type ObjectReply, type RecordsNamespace, type Socket, socketOf } from './runtime.ts'
import { type Answers, type Call, pack, type Reply, unpack, type Verb } from './wire.ts'

/** What the runtime says may be sent again is sent so often. Each verb may arrive twice and count once. */
const mostTries = 3

/** The objects among which records are divided. */
export class RecordObjects {
  readonly count: number
  readonly #namespace: RecordsNamespace

  constructor(namespace: RecordsNamespace, count: number) {
    this.#namespace = namespace
    this.count = count
  }

  /** Where the record of an id lies. */
  indexOf(id: string): number {
    return Number.parseInt(keyOf(id).slice(0, 8), 16) % this.count
  }

  async ask<V extends Verb>(index: number, call: Extract<Call, { verb: V }>): Promise<Answers[V]> {
    const body = pack(call)
    const bytes = await this.#retrying(async () => {
      const reply = await this.#stub(index).fetch('https://hapax/', { method: 'POST', body })
      return reply.arrayBuffer()
    })
    const reply = unpack<Reply<Answers[V]>>(bytes)
    if (reply.kind === 'answer') return reply.answer
    // Its code is one of ours: `HapaxRecords` gives no other.
    throw new IdempotencyError(reply.code as ErrorCode, reply.message)
  }

  /** Resolves to a socket that is told of each change from now on. */
  async watch(id: string): Promise<Socket> {
    const socket = await this.#retrying(async (): Promise<Socket | undefined> => {
      const upgrade = { headers: { Upgrade: 'websocket' } } as const
      const reply: ObjectReply = await this.#stub(this.indexOf(id)).fetch(
        `https://hapax/${keyOf(id)}`,
        upgrade,
      )
      return socketOf(reply)
    })
    if (socket === undefined) throw failed(new Error('it gave no WebSocket'))
    return socket
  }

  /** A stub that failed once is broken for good: each try takes another one. */
  async #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt()
      } catch (error) {
        if (tries === mostTries || !mayBeSentAgain(error)) throw failed(error)
      }
    }
  }

  /** Their number is part of their names: under another one, every record would lie elsewhere. */
  #stub(index: number) {
    return this.#namespace.get(this.#namespace.idFromName(`hapax ${index + 1} of ${this.count}`))
  }
}

/** As the runtime marks what it throws. An object that has too much to do must not get more. */
function mayBeSentAgain(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  return Reflect.get(error, 'retryable') === true && Reflect.get(error, 'overloaded') !== true
}

function failed(error: unknown): IdempotencyError {
  const { message } = nameAndMessage(error)
  const isOverloaded =
    typeof error === 'object' && error !== null && Reflect.get(error, 'overloaded') === true
  const advice = isOverloaded
    ? ' It has too much to do: raise "objects" when no record is left that must still answer.'
    : ' docs/durable-objects.md shows the configuration that it needs.'
  return new IdempotencyError(
    'store-failed',
    `The Durable Object that holds the record failed: ${message.replace(/\.?$/, '.')}${advice}`,
    { cause: error },
  )
}
