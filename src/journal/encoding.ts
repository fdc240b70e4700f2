import type { FinishedStep, StepRecord } from '../core/record.ts'
import type { TransactionRequest } from '../core/journal.ts'
import type { StepResult } from '../core/record.ts'
import { decodeStep, encodeStep } from '../stores/encoding/steps.ts'

/**
 * An id or a name as ASCII, whatever the database's encoding. Plain text stays as it is, for operators to read; JSON
 * can't be mistaken for it, as it begins with `"`.
 */
export function encodeText(text: string): string {
  return /^(?!")[\x20-\x7e]+$/.test(text) ? text : ascii(JSON.stringify(text))
}

export function encodeStepText(step: StepRecord): string {
  return ascii(encodeStep(step))
}

/** @throws Error with a sentence where the text is damaged. */
export function decodeStepText(text: unknown): StepRecord {
  if (typeof text !== 'string') throw new Error('A step of the journal is not text.')
  return decodeStep(JSON.parse(text))
}

/** What is remembered of a transaction. */
export function finishedStep(
  { name, input }: NonNullable<TransactionRequest['step']>,
  result: StepResult,
): FinishedStep {
  return { state: 'finished', name, ...(input !== undefined && { input }), result }
}

/** In JSON, anything that is not ASCII is part of a string, where an escape stands for it. */
function ascii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
