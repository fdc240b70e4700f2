import { readOptions, wholeNumber } from '../core/option-readers.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Inspection,
  Outcome,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from '../core/store.ts'
import { inspectObjects } from './durable-objects/inspecting.ts'
import { RecordObjects } from './durable-objects/objects.ts'
import { type RecordsNamespace, requireNamespace, type Socket } from './durable-objects/runtime.ts'
import { storeClosed } from './embedded/closed.ts'

export { HapaxRecords } from './durable-objects/records.ts'
export type { RecordsNamespace, RecordsState } from './durable-objects/runtime.ts'

export interface DurableObjectStoreOptions {
  /**
   * Among how many objects the records are divided. One does some hundred verbs a second. Under another number every
   * record lies elsewhere, so that keys count as new: choose it once. Default: 16.
   */
  readonly objects?: number
}

/**
 * Keeps records in Durable Objects of Cloudflare, for all instances of a Worker. The objects run the rules themselves,
 * each alone with its records: every verb is one subrequest.
 *
 * Takes the binding to the class {@link HapaxRecords}, which the Worker exports: `docs/durable-objects.md`.
 *
 * @throws {IdempotencyError} `invalid-option`. The verbs reject with `store-failed` when an object can't be reached, with
 * `store-full` where a step finds no room in its record, and with `store-closed` after `close()`.
 * @example
 * export { HapaxRecords } from 'hapax/durable-objects'
 *
 * const store = durableObjectStore(env.HAPAX)
 */
export function durableObjectStore(
  namespace: RecordsNamespace,
  options: DurableObjectStoreOptions = {},
): Store {
  const { objects } = readOptions<Required<DurableObjectStoreOptions>>(options, optionReaders)
  return new DurableObjectStore(new RecordObjects(requireNamespace(namespace), objects))
}

const optionReaders = { objects: wholeNumber(16, 1) }

class DurableObjectStore implements Store {
  readonly name = 'durable-objects'
  readonly durable = true
  readonly inspect: Inspection
  readonly #objects: RecordObjects
  readonly #sockets = new Set<Socket>()
  #isClosed = false

  constructor(objects: RecordObjects) {
    this.#objects = objects
    this.inspect = inspectObjects(objects, () => this.#assertOpen())
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#objects.ask<'claim'>(this.#at(request.id), { verb: 'claim', request })
  }

  /** One request for each object. The leases of one that failed have no result: the engine asks again soon. */
  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    this.#assertOpen()
    const byObject = new Map<number, number[]>()
    for (const [position, { id }] of leases.entries()) {
      const index = this.#at(id)
      byObject.set(index, [...(byObject.get(index) ?? []), position])
    }
    const results: RenewResult[] = []
    results.length = leases.length
    const renewals = [...byObject].map(async ([index, positions]) => {
      const some = positions.flatMap((position) => leases[position] ?? [])
      const renewed = await this.#objects.ask<'renew'>(index, { verb: 'renew', leases: some })
      for (const [nth, position] of positions.entries()) {
        const result = renewed[nth]
        if (result !== undefined) results[position] = result
      }
    })
    const ends = await Promise.allSettled(renewals)
    const failures = ends.filter((end) => end.status === 'rejected')
    if (failures[0] !== undefined && failures.length === ends.length) throw failures[0].reason
    return results
  }

  async complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    return this.#objects.ask<'complete'>(this.#at(lease.id), { verb: 'complete', lease, outcome })
  }

  async release(lease: HeldLease, { clean }: { readonly clean: boolean }): Promise<WriteResult> {
    return this.#objects.ask<'release'>(this.#at(lease.id), { verb: 'release', lease, clean })
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    return this.#objects.ask<'recordStep'>(this.#at(lease.id), { verb: 'recordStep', lease, change })
  }

  async abandon(id: string, owner: string): Promise<void> {
    await this.#objects.ask<'abandon'>(this.#at(id), { verb: 'abandon', id, owner })
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    this.#assertOpen()
    const socket = await this.#objects.watch(id)
    this.#sockets.add(socket)
    const tell = () => {
      if (this.#sockets.has(socket)) listener()
    }
    socket.addEventListener('message', tell)
    // It tells no more: its watcher looks once, and polls.
    socket.addEventListener('close', tell)
    socket.accept()
    if (this.#isClosed) this.#end(socket)
    return () => this.#end(socket)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const socket of this.#sockets) this.#end(socket)
  }

  #end(socket: Socket): void {
    if (this.#sockets.delete(socket)) socket.close()
  }

  /** Every verb asks where its record lies. */
  #at(id: string): number {
    this.#assertOpen()
    return this.#objects.indexOf(id)
  }

  #assertOpen(): void {
    if (this.#isClosed) throw storeClosed('durableObjectStore')
  }
}
