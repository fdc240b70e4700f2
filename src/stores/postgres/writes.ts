import { IdempotencyError } from '../../core/errors.ts'
import type { IdempotencyRecord } from '../../core/record.ts'
import type { Transition } from '../../core/transitions.ts'
import type { Row } from './database.ts'
import { encodeText } from '../encoding/ascii.ts'
import { noBytes } from './encoding.ts'
import { fieldsIn, findIn, textIn } from './rows.ts'
import type { Gathering } from './gathering.ts'
import type { Statement } from './statements.ts'

/** How the results of a write are called, and the rule for what was not written. */
export interface WriteRule<T> {
  readonly written: T
  readonly unreadable: T
  rule(record: IdempotencyRecord | undefined, nowMs: number): Transition<T>
}

export interface Write {
  readonly id: string
  /** Members of the statement's JSON. */
  readonly asked: object
  readonly body?: Buffer
}

type Run = (statement: Statement, asked: object, body?: Buffer) => Promise<readonly Row[]>

/** Each time another statement has to change the same row at the same moment. */
const mostTries = 20

/** Runs the statements that write one record. */
export class Writes {
  readonly #run: Run
  /** Called with the id after each change. */
  readonly onChanged: (id: string) => void

  constructor(run: Run, onChanged: (id: string) => void) {
    this.#run = run
    this.onChanged = onChanged
  }

  /** False where the record is not as the statement wants it: nothing was written. */
  async attempt(gathering: Gathering, { id, asked, body }: Write): Promise<boolean> {
    const row = await gathering.run({ id: encodeText(id), ...asked }, body)
    if (row?.[0] !== 'written') return false
    this.onChanged(id)
    return true
  }

  async perform<T>(statement: Statement, { id, asked, body }: Write, rule: WriteRule<T>): Promise<T> {
    return repeated(async () => {
      const [row] = await this.#run(statement, { id: encodeText(id), ...asked }, body)
      if (row === undefined) throw new Error('A statement returned no row.')
      if (row[1] === 'written') {
        this.onChanged(id)
        return { result: rule.written }
      }
      return judge(row, 2, rule)
    })
  }
}

/**
 * The statement wrote nothing. By the record as it was when the statement began, the rule tells why; or that it should
 * have written, and then another statement came between.
 */
export function judge<T>(
  row: Row,
  foundAt: number,
  { rule, unreadable }: Omit<WriteRule<T>, 'written'>,
): { readonly result: T } | undefined {
  const nowMs = Number(textIn(row[0]))
  const found = findIn(fieldsIn(row[foundAt]), noBytes, nowMs)
  if (found.kind === 'unreadable') return { result: unreadable }
  const { result, write } = rule(found.kind === 'record' ? found.record : undefined, nowMs)
  return write === undefined ? { result } : undefined
}

/** Sends a statement until it has an answer. Each time it decides anew, on a newer state. */
export async function repeated<T>(attempt: () => Promise<{ readonly result: T } | undefined>): Promise<T> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const answer = await attempt()
    if (answer !== undefined) return answer.result
  }
  throw new IdempotencyError('store-failed', 'Others kept changing the record: try again.')
}
