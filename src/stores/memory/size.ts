import type { HeaderList, IdempotencyRecord, StepRecord, StoredResponse } from '../../core/record.ts'

/** The objects, the Map's slot and the heap's, roughly as V8 lays them out. */
const bytesPerRecord = 600
const bytesPerHeader = 80
const bytesPerStep = 160

/** About how much memory a record takes. Strings count one byte for each character: nearly all are Latin-1. */
export function sizeOf(record: IdempotencyRecord): number {
  const label = record.label === undefined ? 0 : record.label.key.length + record.label.scope.length
  const fingerprint = record.fingerprint?.length ?? 0
  const response = record.state === 'completed' ? sizeOfResponse(record.response) : 0
  const steps = record.fingerprint === null || record.steps === undefined ? 0 : sizeOfSteps(record.steps)
  return bytesPerRecord + record.id.length + record.owner.length + fingerprint + label + response + steps
}

function sizeOfSteps(steps: readonly StepRecord[]): number {
  return steps.reduce((sum, step) => {
    const result = step.state === 'finished' && step.result.kind === 'json' ? step.result.json.length : 0
    return sum + bytesPerStep + step.name.length + (step.input?.length ?? 0) + result
  }, 0)
}

function sizeOfResponse(response: StoredResponse): number {
  if (response.kind === 'tombstone') return response.location?.length ?? 0
  return response.body.byteLength + sizeOfHeaders(response.headers) + sizeOfHeaders(response.trailers ?? [])
}

function sizeOfHeaders(headers: HeaderList): number {
  return headers.reduce((sum, [name, value]) => sum + bytesPerHeader + name.length + value.length, 0)
}
