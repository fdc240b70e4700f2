import { readFileSync } from 'node:fs'
import { CannotTest } from './cannot-test.ts'
import { isObject, parseJson } from './json.ts'
import type { CheckOptions } from './run.ts'

type Kind = 'text' | 'number' | 'boolean' | 'texts' | 'numbers' | 'hooks' | 'patch'

/** Every member of the config file, and what it holds. The compiler keeps it in step with CheckOptions. */
const members: Record<keyof CheckOptions, Kind> = {
  url: 'text',
  method: 'text',
  headers: 'texts',
  data: 'text',
  otherData: 'text',
  witness: 'text',
  probe: 'text',
  slow: 'text',
  slowMs: 'number',
  headerName: 'text',
  keyMember: 'text',
  keyForm: 'text',
  keyRequired: 'boolean',
  secondTenant: 'text',
  secondCredential: 'text',
  secondUrl: 'text',
  http2Url: 'text',
  docs: 'text',
  patch: 'patch',
  resource: 'text',
  fixture: 'boolean',
  gateway: 'boolean',
  retentionMs: 'number',
  retentionKnob: 'text',
  hooks: 'hooks',
  ignoreHeaders: 'texts',
  timeoutMs: 'number',
  insecure: 'boolean',
  ca: 'text',
  longMs: 'numbers',
  profile: 'text',
  only: 'texts',
  skip: 'texts',
  maxEffects: 'number',
  long: 'boolean',
  jobs: 'number',
  rounds: 'number',
}

const hookNames = ['restart', 'kill', 'terminate', 'start', 'storeDown', 'storeUp']

/** Reads a config file; `data` may be an object, which is written as JSON. */
export function readConfig(file: string): Partial<CheckOptions> {
  const json = parseJson(readText(file, 'The config file'))
  if (!isObject(json)) throw new CannotTest(`The config file ${file} is not a JSON object.`)
  const config: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(json)) {
    if (!Object.hasOwn(members, name))
      throw new CannotTest(`The config file ${file} has an unknown member ${JSON.stringify(name)}.`)
    // hasOwn above: the name is one of the table's.
    const kind = members[name as keyof CheckOptions]
    const isData = name === 'data' || name === 'otherData'
    const plain = isData && typeof value === 'object' ? JSON.stringify(value) : value
    if (!fits(kind, plain))
      throw new CannotTest(`In the config file ${file}, ${name} should be ${words[kind]}.`)
    config[name] = plain
  }
  // Each member has been checked against the table above, which the compiler keeps in step with the type.
  return config
}

/** A file's text, or `-` for standard input. */
export function readText(file: string, what: string): string {
  return readBytes(file, what).toString('utf8')
}

export function readBytes(file: string, what: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new CannotTest(`${what} ${file} ${reason}.`)
  }
}

const words: Record<Kind, string> = {
  text: 'a string',
  number: 'a positive number',
  boolean: 'true or false',
  texts: 'a list of strings',
  numbers: 'a list of numbers',
  hooks: `an object of shell commands (${hookNames.join(', ')})`,
  patch: 'an object with url and data, both strings and both optional',
}

function fits(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string'
    case 'number':
      return typeof value === 'number' && value > 0
    case 'boolean':
      return typeof value === 'boolean'
    case 'texts':
      return Array.isArray(value) && value.every((one) => typeof one === 'string')
    case 'numbers':
      return Array.isArray(value) && value.every((one) => typeof one === 'number')
    case 'hooks':
      return isTexts(value, hookNames)
    case 'patch':
      return isTexts(value, ['url', 'data'])
  }
}

function isTexts(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(([name, one]) => names.includes(name) && typeof one === 'string')
}
