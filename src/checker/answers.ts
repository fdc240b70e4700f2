import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { type Json, parseJson } from './json.ts'
import type { Answer, Exchange } from './wire/message.ts'
import { values } from './wire/message.ts'

/** Small readings of an exchange, so that cases say what they mean. */

export function answerOf(exchange: Exchange): Answer | undefined {
  return exchange.result.kind === 'answer' ? exchange.result.answer : undefined
}

/** The status, or 0 when no answer came. */
export function statusOf(exchange: Exchange): number {
  return answerOf(exchange)?.status ?? 0
}

export function succeeded(exchange: Exchange): boolean {
  const status = statusOf(exchange)
  return status >= 200 && status < 400
}

export function refused(exchange: Exchange): boolean {
  const status = statusOf(exchange)
  return status >= 400 && status < 500
}

export function broke(exchange: Exchange): boolean {
  return statusOf(exchange) >= 500
}

export function bodyOf(exchange: Exchange): Buffer {
  return answerOf(exchange)?.body ?? Buffer.alloc(0)
}

export function headerOf(exchange: Exchange, name: string): string | undefined {
  return values(answerOf(exchange)?.headers ?? [], name)[0]
}

export function headersOf(exchange: Exchange, name: string): string[] {
  return values(answerOf(exchange)?.headers ?? [], name)
}

export function jsonOf(exchange: Exchange): Json | undefined {
  const answer = answerOf(exchange)
  return answer === undefined ? undefined : parseJson(decoded(answer)?.toString('utf8') ?? '')
}

/** The body with its content coding taken off, or `undefined` when the coding is a lie. */
export function decoded(answer: Answer): Buffer | undefined {
  const coding = values(answer.headers, 'content-encoding').join(',').trim().toLowerCase()
  try {
    if (coding === '' || coding === 'identity') return answer.body
    if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(answer.body)
    if (coding === 'deflate') return inflateSync(answer.body)
    if (coding === 'br') return brotliDecompressSync(answer.body)
    return undefined
  } catch {
    return undefined
  }
}

/** "201 {"id":1…}" or "no answer (the connection was reset)". */
export function brief(exchange: Exchange): string {
  const { result } = exchange
  if (result.kind === 'none') return `no answer (${result.reason})`
  const text = printable(result.answer.body, 120)
  return text === '' ? String(result.answer.status) : `${result.answer.status} ${text}`
}

/** Bytes as one line of text, cut to a length; binary as a count. */
export function printable(bytes: Buffer, maxLength: number): string {
  if (bytes.length === 0) return ''
  const head = bytes.subarray(0, maxLength * 4).toString('utf8')
  if (isBinary(head)) return `(${bytes.length} bytes, binary)`
  const line = head.replaceAll(/\s+/g, ' ').trim()
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line
}

function isBinary(text: string): boolean {
  return Array.from(text).some((char) => char === '\ufffd' || (char < ' ' && !'\t\n\v\f\r'.includes(char)))
}

/** "2 × 201, 18 × 409": what a crowd of requests was told. */
export function tally(exchanges: readonly Exchange[]): string {
  const counts = new Map<string, number>()
  for (const exchange of exchanges) {
    const word =
      exchange.result.kind === 'none' ? `no answer: ${exchange.result.reason}` : String(statusOf(exchange))
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts].map(([word, count]) => `${count} × ${word}`).join(', ')
}
