import { invalidOption } from '../core/errors.ts'
import { listOf, readOptions } from '../core/option-readers.ts'
import type { HeaderList } from '../core/record.ts'
import { recordableHeaders } from '../protocol/headers.ts'

export interface ReplayHeadersOption {
  /** Names to record although they are left out by default, for example `set-cookie`. */
  include?: readonly string[]
  /** Names never to record. */
  exclude?: readonly string[]
}

/** Picks the headers of an answer that its record keeps. */
export type HeaderSelection = (headers: HeaderList) => HeaderList

export function readHeaderSelection(value: unknown, option: string): HeaderSelection {
  if (value === undefined) return (headers) => recordableHeaders(headers)
  if (typeof value !== 'object' || value === null) {
    throw invalidOption(option, 'an object with "include" or "exclude"', value)
  }
  const names = listOf<string>(undefined, 'header names')
  const [includeName, excludeName] = [`${option}.include`, `${option}.exclude`]
  const read = readOptions<Record<string, readonly string[]>>(
    // Under their full names, which is what an error should say.
    Object.fromEntries(Object.entries(value).map(([name, list]) => [`${option}.${name}`, list])),
    { [includeName]: names, [excludeName]: names },
  )
  const { [includeName]: include = [], [excludeName]: exclude = [] } = read
  const forbidden = include.find((name) => framing.has(name.toLowerCase()))
  if (forbidden !== undefined) {
    throw invalidOption(
      `${option}.include`,
      'names of headers that may be repeated on another connection',
      forbidden,
    )
  }
  return selection(lowerCased(include), lowerCased(exclude))
}

/** These describe one connection or one message and would break a replay. */
export const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

function selection(include: ReadonlySet<string>, exclude: ReadonlySet<string>): HeaderSelection {
  return (headers) => {
    const recordable = new Set(recordableHeaders(headers))
    return headers.filter((header) => {
      const name = header[0].toLowerCase()
      return !exclude.has(name) && (recordable.has(header) || include.has(name))
    })
  }
}

function lowerCased(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()))
}
