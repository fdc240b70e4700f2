import { answerOf, headerOf, headersOf, jsonOf, statusOf } from './answers.ts'
import { isObject, type Json } from './json.ts'
import type { Exchange } from './wire/message.ts'

/** What is wrong with an error answer as a description of the problem (draft 2.7, RFC 9457 3.1). Empty: nothing. */
export function descriptionFaults(exchange: Exchange): string[] {
  if (headersOf(exchange, 'link').some((line) => /rel="?describedby"?/i.test(line))) return []
  if (!isProblem(exchange)) {
    const type = headerOf(exchange, 'content-type') ?? 'no Content-Type'
    return [`neither application/problem+json (${type}) nor Link: <…>; rel="describedby"`]
  }
  const json = jsonOf(exchange)
  if (!isObject(json)) return ['the problem body is not a JSON object']
  const { type, title } = json
  if (typeof title !== 'string' && typeof type !== 'string') return ['neither type nor title']
  return typeof type === 'string' && !isAbsolute(type)
    ? [`type ${JSON.stringify(type)} is not an absolute URI`]
    : []
}

/** Breaches of RFC 9457 in a problem body; nothing for other answers. */
export function problemFaults(exchange: Exchange): string[] {
  if (!isProblem(exchange) || exchange.request.method === 'HEAD') return []
  const json = jsonOf(exchange)
  if (!isObject(json)) return ['the body is not a JSON object']
  const found: string[] = []
  if (json['status'] !== undefined && json['status'] !== statusOf(exchange)) {
    found.push(`status ${JSON.stringify(json['status'])} in the body, ${statusOf(exchange)} on the wire`)
  }
  if (typeof json['type'] === 'string' && json['type'] !== 'about:blank' && !isAbsolute(json['type'])) {
    found.push(`type ${JSON.stringify(json['type'])} is not absolute`)
  }
  return found
}

/** The machine-readable name of an error: its problem type, or a code member; not its prose. */
export function machineName(exchange: Exchange): string | undefined {
  const json = jsonOf(exchange)
  const code = codeIn(json) ?? (isObject(json) ? codeIn(json['error']) : undefined)
  const type = isObject(json) && typeof json['type'] === 'string' ? json['type'] : undefined
  if (type !== undefined && type !== 'about:blank') return code === undefined ? type : `${type} ${code}`
  return code
}

export function isProblem(exchange: Exchange): boolean {
  return (headerOf(exchange, 'content-type') ?? '').toLowerCase().startsWith('application/problem+json')
}

/** Signs of an implementation's insides in an error answer. */
export function leaksInsides(exchange: Exchange): boolean {
  const text =
    answerOf(exchange)
      ?.body.subarray(0, 64 * 1024)
      .toString('utf8') ?? ''
  return /\n\s+at [\w.<>]+ ?\(|node_modules\/|Traceback \(most recent|\.java:\d+\)|goroutine \d+ \[/.test(
    text,
  )
}

function codeIn(json: Json | undefined): string | undefined {
  if (!isObject(json)) return undefined
  for (const name of ['code', 'error_code', 'errorCode', 'error']) {
    const value = json[name]
    if (typeof value === 'string' || typeof value === 'number') return String(value)
  }
  return undefined
}

function isAbsolute(text: string): boolean {
  return /^[a-z][a-z\d+.-]*:\S+$/i.test(text)
}
