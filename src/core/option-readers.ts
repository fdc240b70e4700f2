// Readers of option values. Each takes a name and a value, and returns what the engine uses or throws an
// error that names the option. `undefined` stands for the default.

import { parseDuration } from '../protocol/duration.ts'
import { IdempotencyError, invalidOption } from './errors.ts'

export type Reader<T> = (value: unknown, option: string) => T

export function duration(defaultMs: number, leastMs = 1): Reader<number> {
  return (value, option) => {
    const ms = value === undefined ? defaultMs : parseDuration(value)
    if (ms === undefined || ms < leastMs) {
      throw invalidOption(
        option,
        `a duration of at least ${leastMs} ms: milliseconds or a string like "30s"`,
        value,
      )
    }
    return ms
  }
}

export function wholeNumber(defaultValue: number, least: number): Reader<number> {
  return (value = defaultValue, option) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
    throw invalidOption(option, `a whole number of at least ${least}`, value)
  }
}

export function flag(defaultValue: boolean): Reader<boolean> {
  return (value = defaultValue, option) => {
    if (typeof value === 'boolean') return value
    throw invalidOption(option, 'true or false', value)
  }
}

export function text(defaultValue: string): Reader<string> {
  return (value = defaultValue, option) => {
    if (typeof value === 'string' && value !== '') return value
    throw invalidOption(option, 'a string that is not empty', value)
  }
}

export function oneOf<const T extends string>(choices: readonly T[], defaultValue: T): Reader<T> {
  return (value = defaultValue, option) => {
    const choice = choices.find((candidate) => candidate === value)
    if (choice !== undefined) return choice
    throw invalidOption(option, choices.map((name) => `"${name}"`).join(' or '), value)
  }
}

export function listOf<const T extends string>(
  choices: readonly T[] | undefined,
  what: string,
): Reader<readonly T[]> {
  return (value = [], option) => {
    if (Array.isArray(value) && value.every((item) => isOneOf(choices, item))) return value
    throw invalidOption(option, `an array of ${what}`, value)
  }
}

/**
 * A value with the methods named. Only the shape is checked: the type parameter states what the option's
 * declared type promises.
 */
export function objectWith<T extends object | undefined>(
  methods: readonly string[],
  what: string,
  defaultValue: () => T,
): Reader<T> {
  return (value, option) => {
    if (value === undefined) return defaultValue()
    if (typeof value === 'object' && value !== null && methods.every((name) => hasMethod(value, name))) {
      // The methods were found; their parameter types can't be checked at run time.
      return value as T
    }
    throw invalidOption(option, what, value)
  }
}

// A function's parameters can't be checked at run time: its declared type is trusted.
type AnyFunction = (...parameters: never[]) => unknown

export function optionalFunction<T extends AnyFunction>(): Reader<T | undefined> {
  return (value, option) => {
    if (value === undefined) return undefined
    if (typeof value === 'function') return value as T
    throw invalidOption(option, 'a function', value)
  }
}

/** An option that takes a value, or a function from the request to a value. Values are checked at once. */
export function perRequest<Request, T>(reader: Reader<T>): Reader<(request: Request) => T> {
  return (value, option) => {
    if (typeof value !== 'function') {
      const fixed = reader(value, option)
      return () => fixed
    }
    return (request) => reader(value(request), option)
  }
}

export type Readers<Shape> = { readonly [Name in keyof Shape]: Reader<Shape[Name]> }

/** Reads `options` by a table of readers; names that are not in the table are refused. */
export function readOptions<Shape>(options: unknown, readers: Readers<Shape>): Shape {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidOption('options', 'an object', options)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(readers, name)) throw unknownOption(name, Object.keys(readers))
  }
  const given = new Map<string, unknown>(Object.entries(options))
  const entries = Object.entries<Reader<unknown>>(readers).map(([name, read]) => [
    name,
    read(given.get(name), name),
  ])
  // The table has a reader for each name of Shape, and each returns that name's type.
  return Object.fromEntries(entries) as Shape
}

function unknownOption(name: string, known: readonly string[]): IdempotencyError {
  return new IdempotencyError(
    'invalid-option',
    `Unknown option "${name}". The options are: ${known.toSorted().join(', ')}.`,
  )
}

function isOneOf<T extends string>(choices: readonly T[] | undefined, item: unknown): item is T {
  return typeof item === 'string' && (choices === undefined || choices.some((choice) => choice === item))
}

function hasMethod(value: object, name: string): boolean {
  return name in value && typeof Reflect.get(value, name) === 'function'
}
