import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, describe, type Limits, type Received, type Trust } from './connection.ts'
import { encode, type Exchange, type Request, type Result } from './message.ts'
import { WireError } from './reader.ts'

export type TransportOptions = { readonly trust: Trust; readonly limits: Limits }

export type RaceOptions = {
  /** Milliseconds between the flood of all but the last bytes and the release. */
  readonly holdMs?: number
  /** When each request's last byte goes, in milliseconds after the release. Default: all in one tick. */
  readonly offsetsMs?: readonly number[]
}

export type Race = {
  readonly exchanges: readonly Exchange[]
  /** True when a second request had been sent whole before the first byte of any answer arrived. */
  readonly overlapped: boolean
}

export type Abandoned = { readonly exchange: Exchange; readonly sawAnswer: boolean }

/** Sends requests over raw sockets, a new connection for each unless the caller says otherwise. */
export class Transport {
  readonly #options: TransportOptions
  #count = 0

  constructor(options: TransportOptions) {
    this.#options = options
  }

  get trust(): Trust {
    return this.#options.trust
  }

  get limits(): Limits {
    return this.#options.limits
  }

  nextNumber(): number {
    this.#count += 1
    return this.#count
  }

  connect(request: Request): Promise<Connection> {
    return Connection.open(request.origin, this.#options.trust, this.#options.limits)
  }

  /** Sends one request and waits for its answer. Never throws: what went wrong is in the result. */
  async send(request: Request): Promise<Exchange> {
    const number = this.nextNumber()
    const openedAt = performance.now()
    const connection = await this.#open(request)
    if (connection instanceof WireError) return failed(number, request, openedAt, connection)
    const exchange = await this.sendOn(connection, request, number)
    connection.close()
    return exchange
  }

  /** Sends one request on a connection that stays open. */
  async sendOn(connection: Connection, request: Request, number = this.nextNumber()): Promise<Exchange> {
    const openedAt = performance.now()
    const received = connection.receive(request.method, request.slowMs)
    const sentAt = await Promise.race([
      connection.write(encode(request)),
      received.then(() => performance.now()),
    ])
    return finished(number, request, openedAt, sentAt, await received)
  }

  /** Sends the body at a pace, as a phone on a bad network does. */
  async trickle(request: Request, bytesPerSecond: number, totalMs: number): Promise<Exchange> {
    const number = this.nextNumber()
    const openedAt = performance.now()
    const connection = await this.#open(request)
    if (connection instanceof WireError) return failed(number, request, openedAt, connection)
    const received = connection.receive(request.method, totalMs + request.slowMs)
    const bytes = encode(request)
    const part = Math.max(1, Math.round(bytesPerSecond / 10))
    let sentAt = openedAt
    const over = new AbortController()
    void received.then(() => over.abort())
    for (let at = 0; at < bytes.length && !over.signal.aborted; at += part) {
      sentAt = await Promise.race([
        connection.write(bytes.subarray(at, at + part)),
        received.then(() => sentAt),
      ])
      if (at + part < bytes.length) await sleep(100)
    }
    const exchange = finished(number, request, openedAt, sentAt, await received)
    connection.close()
    return exchange
  }

  /**
   * Last-byte synchronisation: every request is sent but for its final byte, then all final bytes go in one
   * tick, so that the requests become complete at the server as nearly together as a network allows.
   */
  async race(requests: readonly Request[], options: RaceOptions = {}): Promise<Race> {
    const openedAt = performance.now()
    const connections = await Promise.all(requests.map((request) => this.#open(request)))
    const held = connections.map((connection, index) => this.#hold(connection, requests[index]))
    await Promise.all(held.map((one) => one.ready))
    await sleep(options.holdMs ?? 100)
    const offsets = options.offsetsMs
    const sent = held.map((one, index) => {
      const offsetMs = offsets?.[index] ?? 0
      if (offsets === undefined || offsetMs <= 0) return one.release()
      return sleep(offsetMs).then(() => one.release())
    })
    const exchanges = await Promise.all(
      held.map(async (one, index) => {
        const request = one.request
        const sentAt = (await sent[index]) ?? openedAt
        return finished(this.nextNumber(), request, openedAt, sentAt, await one.received)
      }),
    )
    for (const connection of connections) if (connection instanceof Connection) connection.close()
    return { exchanges, overlapped: overlapped(exchanges) }
  }

  /** Sends a whole request and goes away: after a time, or (`'first-byte'`) once the answer has begun. */
  async abandon(request: Request, after: number | 'first-byte'): Promise<Abandoned> {
    const number = this.nextNumber()
    const openedAt = performance.now()
    const connection = await this.#open(request)
    if (connection instanceof WireError) {
      return { exchange: failed(number, request, openedAt, connection), sawAnswer: false }
    }
    const received = connection.receive(request.method, request.slowMs)
    const sentAt = await connection.write(encode(request))
    const over = received.then(() => true)
    const patience = new AbortController()
    const waited = after === 'first-byte' ? connection.firstByte() : sleep(after, undefined, patience)
    const left = await Promise.race([over, waited.then(() => false).catch(() => false)])
    patience.abort()
    connection.reset()
    const reason = `the checker hung up ${Math.round(performance.now() - sentAt)} ms after sending`
    const result: Result = { kind: 'none', code: 'ABANDONED', reason }
    const got: Received = left
      ? await received
      : { result, firstByteAt: undefined, endedAt: performance.now() }
    return { exchange: finished(number, request, openedAt, sentAt, got), sawAnswer: left }
  }

  async #open(request: Request): Promise<Connection | WireError> {
    try {
      return await this.connect(request)
    } catch (error) {
      return error instanceof WireError
        ? error
        : describe(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #hold(connection: Connection | WireError, request: Request | undefined): Held {
    if (request === undefined) throw new Error('one connection for each request')
    if (connection instanceof WireError) {
      const result: Result = { kind: 'none', code: connection.code, reason: connection.message }
      const received: Received = { result, firstByteAt: undefined, endedAt: performance.now() }
      const now = Promise.resolve(performance.now())
      return { request, received: Promise.resolve(received), ready: now, release: () => now }
    }
    const bytes = encode(request)
    const received = connection.receive(request.method, request.slowMs + 2000)
    const over = received.then(() => performance.now())
    const ready = Promise.race([connection.write(bytes.subarray(0, -1)), over])
    return {
      request,
      received,
      ready,
      release: () => Promise.race([connection.write(bytes.subarray(-1)), over]),
    }
  }
}

type Held = {
  readonly request: Request
  readonly received: Promise<Received>
  readonly ready: Promise<number>
  release(): Promise<number>
}

/** The proof that a race was one: at least two requests were whole before any answer began. */
export function overlapped(exchanges: readonly Exchange[]): boolean {
  const sent = exchanges.map((exchange) => exchange.sentAt).toSorted((a, b) => a - b)
  const second = sent[1]
  if (second === undefined) return false
  return exchanges.every((exchange) => second <= (exchange.firstByteAt ?? Number.POSITIVE_INFINITY))
}

function finished(
  number: number,
  request: Request,
  openedAt: number,
  sentAt: number,
  received: Received,
): Exchange {
  return { number, request, openedAt, sentAt, ...received }
}

function failed(number: number, request: Request, openedAt: number, error: WireError): Exchange {
  const now = performance.now()
  const result: Result = { kind: 'none', code: error.code, reason: error.message }
  return { number, request, openedAt, sentAt: now, firstByteAt: undefined, endedAt: now, result }
}
