import type { TransactionRequest } from '../core/journal.ts'
import type { FinishedStep, StepRecord, StepResult } from '../core/record.ts'
import { asciiJson } from '../stores/encoding/ascii.ts'
import { decodeStep, encodeStep } from '../stores/encoding/steps.ts'

export function encodeStepText(step: StepRecord): string {
  return asciiJson(encodeStep(step))
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
