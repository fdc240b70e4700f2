/** A row or a JSON object whose members nobody has checked yet. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

// The readers below throw a sentence that says what is wrong with a damaged record.

export function text(fields: Fields, name: string): string {
  return string(fields[name], name)
}

export function number(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && !Number.isNaN(value)) return value
  throw new Error(`${name} is not a number.`)
}

export function integer(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`${name} is not a whole number.`)
}

export function flag(fields: Fields, name: string): boolean {
  return integer(fields, name) === 1
}

export function string(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new Error(`${name} is not text.`)
}

export function oneOf<T extends string>(choices: readonly T[], value: unknown, name: string): T {
  const choice = choices.find((candidate) => candidate === value)
  if (choice !== undefined) return choice
  throw new Error(`there is no ${name} ${JSON.stringify(value)}.`)
}
