import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryFolder } from '../folder.ts'
import { Ledger } from '../ledger.ts'
import type { Protection } from '../shop/settings.ts'
import { describeStore, type StoreAddress } from '../store-address.ts'
import { SupervisedShop } from '../supervisor.ts'
import { createBalancer } from './balancer.ts'
import { buy, type Ending } from './customer.ts'
import { planPurchases, type Purchase, randomFrom } from './plan.ts'
import { type ShopResult, shopResult, type StormResult } from './result.ts'
import { emptyTally, type Tally } from './tally.ts'
import { isGood, judge, type Verdict } from './verdict.ts'

export interface StormOptions {
  /** Default: SQLite in a temporary folder. */
  readonly store: StoreAddress | undefined
  readonly intents: number
  readonly seed: number
  /** `false` leaves hapax out of the protected shop, to see the verdict fail. */
  readonly protection: boolean
}

/** One shop of the storm: served by both servers, with a ledger of its own. */
interface Counter {
  readonly path: string
  readonly keyed: boolean
  readonly ledger: Ledger
  readonly protection: Protection
  readonly tally: Tally
  readonly endings: Map<string, readonly Ending[]>
}

/** How many customers buy at the same time. */
const customers = 48
/** They come one after the other: servers that have just started are slow, and would be hit by retries only. */
const arrivalGapMs = 40
/** After which part of the purchases one server is killed. */
const killAfter = 0.4
/** Short, so that the claims of the killed server are noticed in time; the default of hapax is 30 s. */
const leaseMs = 2000

/**
 * Makes every purchase of a plan in a protected and an unprotected shop at once, on two servers behind a load
 * balancer that repeats requests, and kills one of the servers on the way.
 */
export class Storm {
  readonly intents: number
  readonly #seed: number
  readonly #store: StoreAddress
  readonly #folder = temporaryFolder()
  readonly #counters: { readonly protected: Counter; readonly unprotected: Counter }
  readonly #servers: readonly SupervisedShop[]
  readonly #balancer: Server
  readonly #begunMs = performance.now()
  #finished = 0
  #killed = 0

  constructor({ store, intents, seed, protection }: StormOptions) {
    this.intents = intents
    this.#seed = seed
    this.#store = store ?? { kind: 'sqlite', file: join(this.#folder, 'records.db') }
    const hapax: Protection = { kind: 'hapax', store: this.#store, leaseMs, recovery: 'refuse' }
    this.#counters = {
      protected: this.#open('protected', protection ? hapax : { kind: 'none' }),
      unprotected: this.#open('unprotected', { kind: 'none' }),
    }
    const counters = Object.values(this.#counters)
    const settings = counters.map(({ path, ledger, protection: kind }) => ({
      path,
      ledger: ledger.file,
      protection: kind,
    }))
    this.#servers = [new SupervisedShop({ counters: settings }), new SupervisedShop({ counters: settings })]
    this.#balancer = createBalancer(this.#servers, new Map(counters.map(({ path, tally }) => [path, tally])))
  }

  get finished(): number {
    return this.#finished
  }

  get killed(): number {
    return this.#killed
  }

  get seconds(): number {
    return (performance.now() - this.#begunMs) / 1000
  }

  async run(): Promise<StormResult> {
    await Promise.all(this.#servers.map((server) => server.start()))
    const port = await listen(this.#balancer)
    const queue = planPurchases({ seed: this.#seed, intents: this.intents, run: randomUUID() })
    const shopping = Array.from({ length: customers }, async (_, index) => {
      await sleep(index * arrivalGapMs)
      await this.#shopOn(queue, port)
    })
    await Promise.all(shopping)
    // Handlers whose client left may charge still: the ledger is read when nothing runs any more.
    await this.stop()
    return this.#result()
  }

  /** Ends every process of the storm, as soon as its handlers are through. */
  async stop(): Promise<void> {
    this.#balancer.close()
    this.#balancer.closeAllConnections()
    await Promise.all(this.#servers.map((server) => server.stop()))
  }

  #open(name: string, protection: Protection): Counter {
    return {
      path: `/${name}/orders`,
      keyed: name === 'protected',
      ledger: new Ledger(join(this.#folder, `${name}.charges.jsonl`)),
      protection,
      tally: emptyTally(),
      endings: new Map(),
    }
  }

  async #shopOn(queue: Purchase[], port: number): Promise<void> {
    for (let purchase = queue.shift(); purchase !== undefined; purchase = queue.shift()) {
      await Promise.all(Object.values(this.#counters).map((counter) => this.#buy(purchase, counter, port)))
      this.#finished += 1
      if (this.#finished === Math.ceil(this.intents * killAfter)) this.#killOne()
    }
  }

  async #buy(purchase: Purchase, { path, keyed, endings }: Counter, port: number): Promise<void> {
    endings.set(purchase.intent, await buy(purchase, { port, path, keyed }))
  }

  #killOne(): void {
    const victim = randomFrom(this.#seed)() < 0.5 ? this.#servers[0] : this.#servers[1]
    if (victim?.kill()) this.#killed += 1
  }

  async #result(): Promise<StormResult> {
    const seconds = Math.round(this.seconds * 10) / 10
    const verdict = await verdictOn(this.#counters.protected)
    return {
      passed: isGood(verdict),
      seed: this.#seed,
      intents: this.intents,
      seconds,
      store: describeStore(this.#store),
      killed: this.#killed,
      restarted: this.#servers.reduce((sum, { restarts }) => sum + restarts, 0),
      protected: this.#shopResult(this.#counters.protected, verdict),
      unprotected: this.#shopResult(this.#counters.unprotected, await verdictOn(this.#counters.unprotected)),
      offences: {
        chargedTwice: verdict.chargedTwice,
        answeredNotCharged: verdict.answeredNotCharged,
        noAnswer: verdict.noAnswer,
      },
    }
  }

  #shopResult({ tally }: Counter, verdict: Verdict): ShopResult {
    return shopResult(this.intents, tally, verdict)
  }
}

async function verdictOn({ endings, ledger }: Counter): Promise<Verdict> {
  return judge(endings, await ledger.read())
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      // A server that listens on TCP has an address of this type.
      resolve((server.address() as AddressInfo).port)
    })
  })
}
