import { recordFormat } from '../encoding/record.ts'
import type { Put, RecordCell } from './cells.ts'

/** As many as may run at once in one process. A record that is not remembered is read. */
const mostRemembered = 20_000

/** What this process wrote last of records that run here: what it need not read before it writes again. */
export class OwnWrites {
  readonly #cells = new Map<string, RecordCell>()

  of(id: string): RecordCell | undefined {
    return this.#cells.get(id)
  }

  remember({ record, revision }: Put): void {
    this.#cells.delete(record.id)
    if (record.state !== 'running') return
    const { id, state, token } = record
    this.#cells.set(id, {
      kind: 'record',
      record,
      standing: { revision, format: recordFormat, state, token },
    })
    if (this.#cells.size <= mostRemembered) return
    const [oldest] = this.#cells.keys()
    if (oldest !== undefined) this.#cells.delete(oldest)
  }
}
