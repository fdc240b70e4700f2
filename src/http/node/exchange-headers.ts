import type { ServerResponse } from 'node:http'

const exposed = ['Idempotent-Replayed', 'Idempotency-Expires']

/** Marks an answer with what hapax has to say about it, and lets scripts on other origins read that. */
export function setExchangeHeaders(
  response: ServerResponse,
  { replayed, expiresAtMs }: { replayed: boolean; expiresAtMs: number | undefined },
): void {
  if (replayed) response.setHeader('Idempotent-Replayed', 'true')
  if (expiresAtMs !== undefined) response.setHeader('Idempotency-Expires', httpDate(expiresAtMs))
  if (response.hasHeader('access-control-allow-origin')) exposeToScripts(response)
}

let lastSecond = Number.NaN
let lastDate = ''

/** Most requests of one second ask for the same date. */
function httpDate(timeMs: number): string {
  const second = Math.floor(timeMs / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastDate = new Date(timeMs).toUTCString()
  }
  return lastDate
}

function exposeToScripts(response: ServerResponse): void {
  const present = String(response.getHeader('access-control-expose-headers') ?? '')
  const names = new Set(present.split(',').map((name) => name.trim().toLowerCase()))
  if (names.has('*')) return
  const missing = exposed.filter((name) => !names.has(name.toLowerCase()))
  const all = present === '' ? missing : [present, ...missing]
  response.setHeader('Access-Control-Expose-Headers', all.join(', '))
}
