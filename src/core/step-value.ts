import { IdempotencyError } from './errors.ts'
import type { FinishedStep, StepResult } from './record.ts'

/** A step's result is a receipt, not a report: a record is read and written whole. */
const maxResultBytes = 64 * 1024

/** The result as it is remembered, and as the handler gets it: as JSON gives it back, on the first run too. */
export function keptValue<T>(value: T): { readonly result: StepResult; readonly told: T } {
  if (value === undefined) return { result: { kind: 'nothing' }, told: value }
  const json = jsonOf(value)
  if (json === undefined || Buffer.byteLength(json) > maxResultBytes) {
    return { result: { kind: 'not-kept' }, told: value }
  }
  // What JSON gives back has the type of T for every T that JSON can hold.
  return { result: { kind: 'json', json }, told: JSON.parse(json) as T }
}

/** @throws IdempotencyError `step-result-not-kept` */
export function rememberedValue<T>({ name, result }: FinishedStep): T {
  switch (result.kind) {
    case 'nothing':
      return undefined as T
    case 'json':
      return JSON.parse(result.json) as T
    case 'not-kept':
      throw notKept(`The step "${name}" ran in an earlier attempt, but its result was not kept.`)
  }
}

/** In a transaction nothing has happened yet: it is rolled back rather than committed without its result. */
export function requireKept(name: string, result: StepResult): void {
  if (result.kind === 'not-kept') throw notKept(`The result of the transaction "${name}" can't be kept.`)
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function notKept(what: string): IdempotencyError {
  return new IdempotencyError(
    'step-result-not-kept',
    `${what} Return JSON of at most ${maxResultBytes / 1024} KiB, for example the id of what was made.`,
  )
}
