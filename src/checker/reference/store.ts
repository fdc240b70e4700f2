import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reply } from './messages.ts'

export type StoredRecord =
  | { readonly state: 'running'; readonly fingerprint: string }
  | {
      readonly state: 'done'
      readonly fingerprint: string
      readonly reply: Reply
      readonly expiresAt: number
    }
  | { readonly state: 'unknown'; readonly fingerprint: string }

export type Claim = { readonly kind: 'claimed' } | { readonly kind: 'known'; readonly record: StoredRecord }

export class StoreDown extends Error {}

/**
 * Records in memory, every change appended to a file when there is a directory, so that they outlive the
 * process. Node runs one piece of JavaScript at a time, so a method that does not await is atomic.
 */
export class RecordStore {
  readonly records = new Map<string, StoredRecord>()
  readonly #file: string | undefined
  down = false

  constructor(directory: string | undefined) {
    this.#file = directory === undefined ? undefined : join(directory, 'records.jsonl')
    if (this.#file !== undefined && existsSync(this.#file)) this.#load(this.#file)
  }

  claim(id: string, fingerprint: string): Claim {
    const known = this.read(id)
    if (known !== undefined) return { kind: 'known', record: known }
    this.write(id, { state: 'running', fingerprint })
    return { kind: 'claimed' }
  }

  read(id: string): StoredRecord | undefined {
    if (this.down) throw new StoreDown('the store is down')
    const record = this.records.get(id)
    if (record?.state !== 'done' || record.expiresAt > Date.now()) return record
    this.records.delete(id)
    return undefined
  }

  write(id: string, record: StoredRecord | undefined): void {
    if (this.down) throw new StoreDown('the store is down')
    if (record === undefined) this.records.delete(id)
    else this.records.set(id, record)
    this.#append(id, record)
  }

  #append(id: string, record: StoredRecord | undefined): void {
    if (this.#file === undefined) return
    const line = record?.state === 'done' ? { ...record, reply: packed(record.reply) } : record
    appendFileSync(this.#file, `${JSON.stringify([id, line ?? null])}\n`)
  }

  #load(file: string): void {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      if (line === '') continue
      // The file is written by #append alone, so its lines have this shape.
      const [id, record] = JSON.parse(line) as [string, (StoredRecord & { reply: PackedReply }) | null]
      if (record === null) this.records.delete(id)
      else
        this.records.set(id, record.state === 'done' ? { ...record, reply: unpacked(record.reply) } : record)
    }
    // Whoever ran these is dead, and nobody knows how far they came.
    for (const [id, record] of this.records) {
      if (record.state === 'running')
        this.records.set(id, { state: 'unknown', fingerprint: record.fingerprint })
    }
  }
}

/** Counts effects by marker, in memory and in a file: the thing that must not happen twice. */
export class Ledger {
  readonly #counts = new Map<string, number>()
  readonly #file: string | undefined

  constructor(directory: string | undefined) {
    this.#file = directory === undefined ? undefined : join(directory, 'effects.log')
    if (this.#file === undefined || !existsSync(this.#file)) return
    for (const marker of readFileSync(this.#file, 'utf8').split('\n')) if (marker !== '') this.#count(marker)
  }

  add(marker: string): void {
    this.#count(marker)
    if (this.#file !== undefined) appendFileSync(this.#file, `${marker}\n`)
  }

  count(marker: string): number {
    return this.#counts.get(marker) ?? 0
  }

  total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  #count(marker: string): void {
    this.#counts.set(marker, this.count(marker) + 1)
  }
}

type PackedReply = Omit<Reply, 'body'> & { readonly body: string }

function packed(reply: Reply): PackedReply {
  return { ...reply, body: reply.body.toString('base64') }
}

function unpacked(reply: PackedReply): Reply {
  return { ...reply, body: Buffer.from(reply.body, 'base64') }
}
