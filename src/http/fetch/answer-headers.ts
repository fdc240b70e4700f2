import type { HeaderList } from '../../core/record.ts'
import type { HeaderTarget } from '../exchange-headers.ts'

/** The headers of an answer while it is put together: to build and copy `Headers` costs more than all else. */
export class AnswerHeaders implements HeaderTarget {
  /** By name in lower case. */
  readonly #lines = new Map<string, readonly string[]>()

  constructor(list: HeaderList) {
    for (const [name, value] of list) this.append(name, value)
  }

  get(name: string): string | null {
    return this.#lines.get(name.toLowerCase())?.join(', ') ?? null
  }

  set(name: string, value: string): void {
    this.#lines.set(name.toLowerCase(), [value])
  }

  append(name: string, value: string): void {
    const lower = name.toLowerCase()
    const present = this.#lines.get(lower)
    this.#lines.set(lower, present === undefined ? [value] : [...present, value])
  }

  /** Sets each of these in place of what is there under its name. */
  override(others: AnswerHeaders): void {
    for (const [name, values] of others.#lines) this.#lines.set(name, values)
  }

  every(holds: (value: string) => boolean): boolean {
    for (const values of this.#lines.values()) if (!values.every(holds)) return false
    return true
  }

  /** A plain object where that can hold them all, which is what @hono/node-server sends fastest. */
  toInit(): Record<string, string> | Headers {
    if ((this.#lines.get('set-cookie')?.length ?? 0) > 1) return this.#toHeaders()
    // A header may have the name of what each object has.
    const plain: Record<string, string> = Object.create(null)
    for (const [name, values] of this.#lines) plain[spellingOf(name)] = values.join(', ')
    return plain
  }

  #toHeaders(): Headers {
    const headers = new Headers()
    for (const [name, values] of this.#lines) for (const value of values) headers.append(name, value)
    return headers
  }
}

/** @hono/node-server 1.19.0 sets this name, and would send one in lower case beside it. */
function spellingOf(name: string): string {
  return name === 'content-length' ? 'Content-Length' : name
}
