import { randomUUID } from 'node:crypto'
import { systemClock, type Timer } from '../../core/clock.ts'
import type { Unsubscribe } from '../../core/store.ts'
import { Watchers } from '../embedded/watchers.ts'
import type { Database, Listening, Row } from './database.ts'
import { decodeText, encodeText } from '../encoding/ascii.ts'
import { anything } from './payload.ts'
import { Polling } from '../remote/polling.ts'
import { textIn } from './rows.ts'

export interface WatchSource {
  /** Makes the other verbs notify of changes of this record. */
  mark(id: string): Promise<void>
  /** A text for each id that is there, which differs after a change. */
  stamps(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
  notify(payload: string): Promise<void>
}

export interface WatchSettings {
  readonly channel: string
  readonly listen: boolean
  readonly pollEveryMs: number
  /** Called once if what is notified can't be heard. */
  onUnheard(): void
}

type State = 'idle' | 'live' | 'lost' | 'unheard'

const openWithinMs = 2_000
const pingWithinMs = 1_000
const pingEveryMs = 5_000
const listenAgainAfterMs = 600_000
const reopenDelayMs = { first: 50, longest: 1_000 } as const
/** As much of an id as a notification carries. */
const payloadLength = 200

/** All watchers of a store on one connection of its own, opened at the first watch; on polling while it is lost. */
export class Watching {
  readonly #database: Database
  readonly #source: WatchSource
  readonly #settings: WatchSettings
  readonly #watchers = new Watchers()
  readonly #polling: Polling
  readonly #pings = new Map<string, () => void>()
  #state: State
  #listening: Listening | undefined
  #opening: Promise<void> | undefined
  #timer: Timer | undefined
  #reopenDelayMs: number = reopenDelayMs.first
  #isReported = false
  #closed = false

  constructor(database: Database, source: WatchSource, settings: WatchSettings) {
    this.#database = database
    this.#source = source
    this.#settings = settings
    this.#polling = new Polling(settings.pollEveryMs, this.#watchers, source.stamps)
    this.#state = settings.listen ? 'idle' : 'unheard'
  }

  /** Resolves once no later change can be missed. */
  async add(id: string, listener: () => void): Promise<Unsubscribe> {
    const unsubscribe = this.#watchers.add(id, listener)
    try {
      if (this.#state === 'idle') await (this.#opening ??= this.#open())
      if (this.#state === 'live') await this.#source.mark(id)
      else await this.#polling.begin(id)
      return unsubscribe
    } catch (error) {
      unsubscribe()
      throw error
    }
  }

  /** This process changed the record: its own watchers need no server to learn it. */
  changed(id: string): void {
    this.#watchers.notify(id)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#watchers.clear()
    this.#polling.stop()
    this.#timer?.cancel()
    await this.#opening
    await this.#hangUp()
  }

  async #open(): Promise<void> {
    const connection = { isLost: false }
    try {
      const isHeard = await this.#listen(() => {
        connection.isLost = true
        this.#lose()
      })
      // Not heard because it broke is another thing than not heard at all.
      if (connection.isLost) throw new Error('The connection to listen on was lost.')
      if (isHeard) await this.#goLive()
      else await this.#giveUpHearing()
    } catch {
      await this.#hangUp()
      this.#state = 'lost'
      this.#polling.start()
      this.#reopenLater()
    } finally {
      this.#opening = undefined
    }
  }

  /** False if the server was told and nothing was heard: a pooler keeps no connection for one client. */
  async #listen(onLost: () => void): Promise<boolean> {
    const onNotify = (payload: string) => this.#heard(payload)
    const opening = this.#database.listen(this.#settings.channel, { onNotify, onLost })
    this.#listening = await within(openWithinMs, opening)
    if (this.#listening === undefined) {
      opening.then((late) => late.close()).catch(() => {})
      throw new Error('The connection to listen on did not open in time.')
    }
    return (await this.#ping()) || this.#ping()
  }

  /** Who watches from now on is told. Who was polled for until now is polled for until that is so for them too. */
  async #goLive(): Promise<void> {
    this.#state = 'live'
    this.#reopenDelayMs = reopenDelayMs.first
    this.#arm(pingEveryMs, () => this.#check())
    if (!this.#polling.isRunning) return
    const listening = this.#listening
    await Promise.all([...this.#watchers.ids].map((id) => this.#source.mark(id)))
    if (this.#state !== 'live' || this.#listening !== listening) return
    this.#polling.stop()
    // Of what happened meanwhile, nobody was told.
    this.#notifyAll()
  }

  /** A server that was very slow looks the same as a pooler: it is tried again, but seldom. */
  async #giveUpHearing(): Promise<void> {
    await this.#hangUp()
    this.#state = 'unheard'
    this.#polling.start()
    this.#arm(listenAgainAfterMs, async () => {
      this.#state = 'idle'
    })
    if (!this.#isReported) this.#settings.onUnheard()
    this.#isReported = true
  }

  /** A connection can be half open, and postgres.js says nothing of one that it lost. */
  async #check(): Promise<void> {
    if (this.#watchers.size === 0) {
      await this.#hangUp()
      this.#state = 'idle'
      return
    }
    const isHeard = await this.#ping().catch(() => false)
    if (this.#state !== 'live' || this.#closed) return
    if (isHeard) this.#arm(pingEveryMs, () => this.#check())
    else this.#lose()
  }

  #lose(): void {
    if (this.#state !== 'live' || this.#closed) return
    this.#state = 'lost'
    void this.#hangUp()
    this.#polling.start()
    this.#reopenLater()
  }

  #reopenLater(): void {
    const delayMs = this.#reopenDelayMs
    this.#reopenDelayMs = Math.min(delayMs * 2, reopenDelayMs.longest)
    this.#arm(delayMs, async () => {
      if (this.#watchers.size > 0) await (this.#opening = this.#open())
      else this.#state = 'idle'
    })
  }

  async #ping(): Promise<boolean> {
    const payload = `ping ${randomUUID()}`
    const heard = new Promise<boolean>((resolve) => this.#pings.set(payload, () => resolve(true)))
    try {
      await this.#source.notify(payload)
      return (await within(pingWithinMs, heard)) === true
    } finally {
      this.#pings.delete(payload)
    }
  }

  #heard(payload: string): void {
    const answer = this.#pings.get(payload)
    if (answer !== undefined) return answer()
    if (payload === anything) return this.#notifyAll()
    for (const id of this.#watchers.ids) {
      if (encodeText(id).slice(0, payloadLength) === payload) this.#watchers.notify(id)
    }
  }

  #notifyAll(): void {
    for (const id of this.#watchers.ids) this.#watchers.notify(id)
  }

  async #hangUp(): Promise<void> {
    const listening = this.#listening
    this.#listening = undefined
    await within(openWithinMs, listening?.close() ?? Promise.resolve()).catch(() => {})
  }

  #arm(delayMs: number, work: () => Promise<void>): void {
    this.#timer?.cancel()
    if (!this.#closed) this.#timer = systemClock.setTimer(() => void work().catch(() => {}), delayMs)
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitMs)
    timer.unref()
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}

export function stampsIn(rows: readonly Row[]): ReadonlyMap<string, string> {
  return new Map(rows.map(([id, stamp]) => [decodeText(textIn(id)), textIn(stamp)]))
}
