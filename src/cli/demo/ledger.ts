import { type FileHandle, open, readFile } from 'node:fs/promises'
import type { Order } from './orders.ts'

/** Money that was really taken. */
export interface Charge extends Order {
  /** The purchase that the customer had in mind, however many requests it took. */
  readonly cart?: string
  /** The idempotency key of the request, where it had one. */
  readonly key?: string
  readonly at: string
  /** The process that charged. */
  readonly pid: number
}

/**
 * The demo's payment provider: a file of charges, one JSON document a line, that knows nothing of hapax and
 * outlives every process. Several processes may append to one file.
 */
export class Ledger {
  readonly file: string
  #handle: Promise<FileHandle> | undefined
  #syncing: Promise<void> | undefined
  #nextSync: Promise<void> | undefined

  constructor(file: string) {
    this.file = file
  }

  /** Resolves when the charge is on the disk. */
  async append(charge: Charge): Promise<void> {
    this.#handle ??= open(this.file, 'a')
    const handle = await this.#handle
    // One write of one line: appends of several processes never mix, and a SIGKILL leaves it whole or absent.
    await handle.write(`${JSON.stringify(charge)}\n`)
    await this.#sync(handle)
  }

  /** Every charge, oldest first. Throws for a line that can't be read: a verdict must not skip it. */
  async read(): Promise<readonly Charge[]> {
    const text = await readFile(this.file, 'utf8').catch(emptyIfMissing)
    return text
      .split('\n')
      .slice(0, -1)
      .map((line): Charge => JSON.parse(line))
  }

  async findByKey(key: string): Promise<Charge | undefined> {
    const charges = await this.read()
    return charges.find((charge) => charge.key === key)
  }

  /** One sync for all who wait: what was written before a sync began is safe when it ends. */
  #sync(handle: FileHandle): Promise<void> {
    this.#nextSync ??= this.#syncAfter(handle, this.#syncing)
    return this.#nextSync
  }

  async #syncAfter(handle: FileHandle, running: Promise<void> | undefined): Promise<void> {
    await running?.catch(() => {})
    this.#syncing = this.#nextSync
    this.#nextSync = undefined
    await handle.datasync()
  }
}

function emptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}
