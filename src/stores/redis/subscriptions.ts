import { setTimeout as sleep } from 'node:timers/promises'
import type { Unsubscribe } from '../../core/store.ts'
import type { Connection, Subscriber } from './connection.ts'

interface Channel {
  readonly listeners: Set<() => void>
  /** Settles when the subscription is live on the server. */
  live: Promise<void>
}

const reopenDelayMs = { first: 50, longest: 1_000 }

/** All watchers of a store on one connection of its own, opened at the first watch. */
export class Subscriptions {
  readonly #connection: Connection
  readonly #channels = new Map<string, Channel>()
  #subscriber: Promise<Subscriber> | undefined
  #closed = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Resolves once the server will send what is published on the channel. */
  async add(name: string, listener: () => void): Promise<Unsubscribe> {
    // The same function may be given twice, and each subscription ends on its own.
    const entry = () => listener()
    const channel = this.#channels.get(name) ?? this.#open(name)
    channel.listeners.add(entry)
    try {
      await channel.live
    } catch (error) {
      this.#remove(name, channel, entry)
      throw error
    }
    return () => this.#remove(name, channel, entry)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { listeners } of this.#channels.values()) listeners.clear()
    this.#channels.clear()
    const subscriber = this.#subscriber
    this.#subscriber = undefined
    try {
      ;(await subscriber)?.close()
    } catch {
      // It never opened.
    }
  }

  #open(name: string): Channel {
    const channel: Channel = { listeners: new Set(), live: this.#subscribe(name) }
    // Whoever waits for it gets the error; nobody may be waiting.
    channel.live.catch(() => {})
    this.#channels.set(name, channel)
    return channel
  }

  async #subscribe(name: string): Promise<void> {
    this.#subscriber ??= this.#openSubscriber()
    const subscriber = await this.#subscriber
    await subscriber.subscribe(name, () => this.#notify(name))
  }

  #openSubscriber(): Promise<Subscriber> {
    const opening = this.#connection.openSubscriber(() => void this.#reopen())
    opening.catch(() => {
      if (this.#subscriber === opening) this.#subscriber = undefined
    })
    return opening
  }

  /** A message may have been lost meanwhile, so every watcher is told to look. */
  async #reopen(delayMs = reopenDelayMs.first): Promise<void> {
    this.#subscriber = undefined
    await sleep(delayMs, undefined, { ref: false })
    if (this.#closed || this.#channels.size === 0 || this.#subscriber !== undefined) return
    const names = [...this.#channels.keys()]
    const results = await Promise.allSettled(
      names.map((name) => {
        const live = this.#subscribe(name)
        const channel = this.#channels.get(name)
        if (channel !== undefined) channel.live = live
        return live
      }),
    )
    // Where the new connection was lost as well, it calls this again, and then a little later.
    if (results.some(({ status }) => status === 'rejected') && this.#subscriber === undefined) {
      await this.#reopen(Math.min(delayMs * 2, reopenDelayMs.longest))
      return
    }
    for (const name of names) this.#notify(name)
  }

  #notify(name: string): void {
    const listeners = this.#channels.get(name)?.listeners
    if (listeners === undefined) return
    for (const listener of listeners) {
      // In a turn of its own, as one that throws must not keep the others from being told; by then it may have
      // been ended by another.
      queueMicrotask(() => {
        if (listeners.has(listener)) listener()
      })
    }
  }

  #remove(name: string, channel: Channel, entry: () => void): void {
    if (!channel.listeners.delete(entry) || channel.listeners.size > 0) return
    if (this.#channels.get(name) !== channel) return
    this.#channels.delete(name)
    void this.#unsubscribe(name)
  }

  async #unsubscribe(name: string): Promise<void> {
    try {
      const subscriber = await this.#subscriber
      // Somebody may watch it again by now.
      if (!this.#channels.has(name)) await subscriber?.unsubscribe(name)
    } catch {
      // A connection that is lost has no subscriptions.
    }
  }
}
