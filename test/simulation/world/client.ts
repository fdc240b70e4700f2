// A client that wants one thing done and asks until it knows: it double clicks, gives up too early, tries
// another server, and asks again although it was told.

import type { Answer } from '../checker/history.ts'
import { type Request, serve } from './application.ts'
import type { Intent } from './plan.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

export class Client {
  readonly #world: World
  readonly #servers: readonly Server[]
  readonly #intent: Intent
  readonly #name: string
  #asked = 0
  #open = 0

  constructor(world: World, servers: readonly Server[], intent: Intent, name: string) {
    this.#world = world
    this.#servers = servers
    this.#intent = intent
    this.#name = name
  }

  /** True when nothing of this client is on its way. */
  get resting(): boolean {
    return this.#open === 0
  }

  start(): void {
    this.#open += 1
    this.#world.scheduler.at(this.#intent.atMs, () => {
      this.#open -= 1
      for (let copy = 0; copy < this.#intent.copies; copy += 1) this.#ask(1)
    })
  }

  #ask(attempt: number): void {
    const world = this.#world
    const { key, payload, index, patienceMs } = this.#intent
    const number = world.nextRequest()
    this.#asked += 1
    const chance = world.chance(index, 500 + this.#asked)
    world.note({ kind: 'request', request: number, client: this.#name, key, payload })
    this.#open += 1
    const gone = new Gone()
    let concluded = false
    const conclude = (answer: Answer | undefined) => {
      if (concluded) return
      concluded = true
      this.#open -= 1
      this.#next(attempt, answer, chance)
    }
    world.scheduler.after(patienceMs, () => {
      if (concluded) return
      world.fault('client left')
      conclude(undefined)
      gone.leave()
    })
    const server = this.#servers[chance % this.#servers.length]
    if (server === undefined) return
    const request: Request = {
      number,
      client: this.#name,
      key,
      payload,
      chance,
      onGone: (listener) => gone.add(listener),
    }
    world.scheduler.after(1 + (chance % 3), () => {
      const { life } = server
      if (life === undefined) {
        world.fault('refused request')
        return conclude(undefined)
      }
      life.receive(() => {
        void serve(world, life, request, (answer) => {
          world.scheduler.after(1 + (chance % 5), () => conclude(answer))
        })
      })
    })
  }

  #next(attempt: number, answer: Answer | undefined, chance: number): void {
    if (attempt >= this.#intent.attempts) return
    const again = answer === undefined || answer.says === 'in-progress' || answer.says === 'store-unavailable'
    // Who was answered asks again sometimes: a reload, a queue that delivers twice.
    if (!again && chance % 3 !== 0) return
    const pauseMs = 1 + (this.#world.chance(this.#intent.index, attempt, 13) % this.#world.plan.leaseMs)
    this.#open += 1
    this.#world.scheduler.after(pauseMs, () => {
      this.#open -= 1
      this.#ask(attempt + 1)
    })
  }
}

class Gone {
  readonly #listeners = new Set<() => void>()

  add(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  leave(): void {
    for (const listener of this.#listeners) listener()
  }
}
