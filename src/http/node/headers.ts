import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HeaderList } from '../../core/record.ts'

/** Header values by lower-case name, as they were at one moment. */
export type HeaderSnapshot = ReadonlyMap<string, OutgoingHttpHeader>

export function snapshotOf(response: ServerResponse): HeaderSnapshot {
  const snapshot = new Map<string, OutgoingHttpHeader>()
  for (const name of response.getHeaderNames()) {
    const value = response.getHeader(name)
    if (value !== undefined) snapshot.set(name, value)
  }
  return snapshot
}

/**
 * What was set or changed since the snapshot. The rest came from layers further out, which a replay passes
 * through again: recording it would bring back another exchange's values.
 */
export function changedHeaders(response: ServerResponse, before: HeaderSnapshot): HeaderList {
  const changed: Array<readonly [string, string]> = []
  for (const name of namesAsSet(response)) {
    const value = response.getHeader(name)
    if (value === undefined || sameValue(before.get(name.toLowerCase()), value)) continue
    if (!Array.isArray(value)) {
      changed.push([name, String(value)])
      continue
    }
    // Numbers too, whatever the types say.
    const items: readonly unknown[] = value
    for (const item of items) changed.push([name, String(item)])
  }
  return changed
}

/** Sets what `writeHead` was given: an object, a flat list of names and values, or a list of pairs. */
export function applyHeaders(
  response: ServerResponse,
  headers: Readonly<Record<string, OutgoingHttpHeader | undefined>> | readonly OutgoingHttpHeader[],
): void {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) response.setHeader(name, value)
    }
    return
  }
  const pairs = headers.every(Array.isArray) ? headers : pairsOf(headers)
  const seen = new Set<string>()
  for (const [name, value] of pairs) {
    if (seen.has(name.toLowerCase())) response.appendHeader(name, value)
    else response.setHeader(name, value)
    seen.add(name.toLowerCase())
  }
}

/** What `addTrailers` was given: an object or a list of pairs, values that are lists one line each. */
export function trailerList(trailers: OutgoingHttpHeaders | readonly OutgoingHttpHeader[]): HeaderList {
  const entries: unknown[] = Array.isArray(trailers) ? trailers : Object.entries(trailers)
  return entries.flatMap((entry) => {
    const [name, values] = Array.isArray(entry) ? entry : []
    return [values].flat().map((value): readonly [string, string] => [String(name), String(value)])
  })
}

/** Sets recorded headers, repeated names as repeated lines in their order. */
export function setHeaderList(response: ServerResponse, headers: HeaderList): void {
  const byName = new Map<string, { name: string; values: string[] }>()
  for (const [name, value] of headers) {
    const entry = byName.get(name.toLowerCase())
    if (entry === undefined) byName.set(name.toLowerCase(), { name, values: [value] })
    else entry.values.push(value)
  }
  for (const { name, values } of byName.values()) {
    response.setHeader(name, values.length === 1 ? (values[0] ?? '') : values)
  }
}

export function restoreHeaders(response: ServerResponse, before: HeaderSnapshot): void {
  for (const name of response.getHeaderNames()) {
    if (!before.has(name)) response.removeHeader(name)
  }
  for (const [name, value] of before) response.setHeader(name, value)
}

/** With their capitals on HTTP/1; HTTP/2 has none, and its response lacks the method. */
function namesAsSet(response: ServerResponse & { getRawHeaderNames?(): string[] }): string[] {
  return response.getRawHeaderNames?.() ?? response.getHeaderNames()
}

function sameValue(before: OutgoingHttpHeader | undefined, now: OutgoingHttpHeader): boolean {
  if (before === undefined) return false
  if (!Array.isArray(before) || !Array.isArray(now)) return before === now
  return before.length === now.length && before.every((value, index) => value === now[index])
}

function pairsOf(flat: readonly OutgoingHttpHeader[]): Array<[string, string]> {
  const pairs: Array<[string, string]> = []
  for (let index = 0; index + 1 < flat.length; index += 2) {
    pairs.push([String(flat[index]), String(flat[index + 1])])
  }
  return pairs
}
