import { isIdempotencyError, nameAndMessage } from '../../core/errors.ts'
import { SwapStore } from '../remote/swap-store.ts'
import { SqlCells } from './cells.ts'
import { type RecordsState, socketPair } from './runtime.ts'
import { type Call, pack, type Reply, unpack } from './wire.ts'

const reapedAtOnce = 5_000
/** The alarm comes no sooner and no later than that; where it left some, a little after. */
const reapEveryMs = { least: 60_000, most: 3_600_000, goingOn: 1_000 }

/**
 * The class of Durable Objects that keeps the records. Export it from the Worker, bind it, and name it under
 * `new_sqlite_classes`: `docs/durable-objects.md` shows the configuration. Only {@link durableObjectStore} talks to it.
 *
 * @example
 * export { HapaxRecords } from 'hapax/durable-objects'
 */
export class HapaxRecords {
  /** The types that `wrangler types` makes ask for it. There is no such member. */
  declare readonly __DURABLE_OBJECT_BRAND: never
  readonly #state: RecordsState
  readonly #storage: RecordsState['storage']
  readonly #cells: SqlCells
  readonly #store: SwapStore
  #isAlarmSet = false

  constructor(state: RecordsState) {
    this.#state = state
    this.#storage = state.storage
    this.#cells = new SqlCells(state.storage.sql, (key) => this.#tell(key))
    // One object is alone with its records: what the rules judge is what stands there.
    this.#store = new SwapStore(this.#cells, {
      name: 'durable-objects',
      factory: 'durableObjectStore',
      // Nobody watches through it: changes are heard of as they are made.
      pollEveryMs: 1_000,
      clockSkewMs: 0,
      onClose: () => {},
    })
  }

  /** Called by the runtime: one verb of the store. */
  async fetch(request: Request): Promise<Response> {
    if (request.headers.get('upgrade') === 'websocket') return this.#watch(new URL(request.url).pathname)
    const call = unpack<Call>(await request.arrayBuffer())
    return new Response(pack(await this.#reply(call)))
  }

  /** Called by the runtime, at the earliest an hour after a record ended. */
  async alarm(): Promise<void> {
    this.#isAlarmSet = false
    await this.#setAlarm(this.#cells.reap(reapedAtOnce))
  }

  /** Called by the runtime when a watcher has left. Before April 2026 it did not close its own end by itself. */
  webSocketClose(socket: { close(): void }): void {
    socket.close()
  }

  async #reply(call: Call): Promise<Reply<unknown>> {
    try {
      await this.#ensureAlarm()
      return { kind: 'answer', answer: await this.#carryOut(call) }
    } catch (error) {
      const { message } = nameAndMessage(error)
      return { kind: 'error', code: isIdempotencyError(error) ? error.code : 'store-failed', message }
    }
  }

  #carryOut(call: Call): Promise<unknown> {
    const { inspect } = this.#store
    switch (call.verb) {
      case 'claim':
        return this.#store.claim(call.request)
      case 'renew':
        return this.#store.renew(call.leases)
      case 'complete':
        return this.#store.complete(call.lease, call.outcome)
      case 'release':
        return this.#store.release(call.lease, { clean: call.clean })
      case 'recordStep':
        return this.#store.recordStep(call.lease, call.change)
      case 'abandon':
        return this.#store.abandon(call.id, call.owner)
      case 'list':
        return inspect.list(call.query)
      case 'get':
        return inspect.get(call.id)
      case 'forget':
        return inspect.forget(call.id)
      case 'settle':
        return inspect.settle(call.id, call.resolution)
    }
  }

  /** A socket for each watcher, found again by its tag: the object may sleep meanwhile, and hears who leaves. */
  #watch(pathname: string): Response {
    const [client, server] = socketPair()
    this.#state.acceptWebSocket(server, [pathname.slice(1)])
    // The runtime's own member, which is no part of Node's types.
    return new Response(null, { status: 101, webSocket: client } as ResponseInit)
  }

  #tell(key: string): void {
    for (const socket of this.#state.getWebSockets(key)) {
      try {
        socket.send('changed')
      } catch {
        // It has just been closed.
      }
    }
  }

  /** Before anything is written, so that no record lies here for ever. */
  async #ensureAlarm(): Promise<void> {
    if (this.#isAlarmSet) return
    if ((await this.#storage.getAlarm()) === null) await this.#setAlarm(Date.now() + reapEveryMs.most)
    this.#isAlarmSet = true
  }

  async #setAlarm(dueMs: number | undefined): Promise<void> {
    if (dueMs === undefined) return
    const nowMs = Date.now()
    const leastMs = dueMs <= nowMs ? reapEveryMs.goingOn : reapEveryMs.least
    await this.#storage.setAlarm(Math.min(Math.max(dueMs, nowMs + leastMs), nowMs + reapEveryMs.most))
    this.#isAlarmSet = true
  }
}
