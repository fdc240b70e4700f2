const exposed = ['Idempotent-Replayed', 'Idempotency-Expires']

/** What hapax has to say about one exchange. */
export interface ExchangeFacts {
  readonly replayed: boolean
  readonly expiresAtMs: number | undefined
}

/** Headers of an answer, as its platform keeps them. */
export interface HeaderTarget {
  get(name: string): string | null
  set(name: string, value: string): void
}

/** Marks an answer with what hapax has to say about it, and lets scripts on other origins read that. */
export function setExchangeHeaders(headers: HeaderTarget, { replayed, expiresAtMs }: ExchangeFacts): void {
  if (replayed) headers.set('Idempotent-Replayed', 'true')
  if (expiresAtMs !== undefined) headers.set('Idempotency-Expires', httpDate(expiresAtMs))
  if (headers.get('Access-Control-Allow-Origin') !== null) exposeToScripts(headers)
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

function exposeToScripts(headers: HeaderTarget): void {
  const present = headers.get('Access-Control-Expose-Headers') ?? ''
  const names = new Set(present.split(',').map((name) => name.trim().toLowerCase()))
  if (names.has('*')) return
  const missing = exposed.filter((name) => !names.has(name.toLowerCase()))
  const all = present === '' ? missing : [present, ...missing]
  headers.set('Access-Control-Expose-Headers', all.join(', '))
}
