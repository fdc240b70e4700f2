import type { StepRecord, StepResult } from '../../core/record.ts'

/** Steps as one JSON text: an array of what {@link encodeStep} gives. */
export function encodeSteps(steps: readonly StepRecord[]): string {
  return `[${steps.map(encodeStep).join()}]`
}

/** @throws Error with a sentence where the text is damaged. */
export function decodeSteps(text: string): StepRecord[] {
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list) || list.length === 0) throw damaged()
  return list.map((fields: unknown) => decodeStep(fields))
}

/** One step as JSON: `[name, "begun", safe, input]` or `[name, "finished", input, kind, json]`. */
export function encodeStep(step: StepRecord): string {
  const { name, input = null } = step
  if (step.state === 'begun') return JSON.stringify([name, step.state, step.safe, input])
  const { result } = step
  const json = result.kind === 'json' ? [result.json] : []
  return JSON.stringify([name, step.state, input, result.kind, ...json])
}

/** @throws Error with a sentence where the fields are not a step's. */
export function decodeStep(fields: unknown): StepRecord {
  if (!Array.isArray(fields)) throw damaged()
  const [name, state, third, fourth, fifth]: readonly unknown[] = fields
  if (typeof name !== 'string') throw damaged()
  switch (state) {
    case 'begun':
      if (typeof third !== 'boolean') throw damaged()
      return { state, name, safe: third, ...inputOf(fourth) }
    case 'finished':
      return { state, name, ...inputOf(third), result: resultOf(fourth, fifth) }
    default:
      throw damaged()
  }
}

function inputOf(value: unknown): { input?: string } {
  if (value === null) return {}
  if (typeof value !== 'string') throw damaged()
  return { input: value }
}

function resultOf(kind: unknown, json: unknown): StepResult {
  if (kind === 'nothing' || kind === 'not-kept') return { kind }
  if (kind === 'json' && typeof json === 'string') return { kind, json }
  throw damaged()
}

function damaged(): Error {
  return new Error('its steps are damaged.')
}
