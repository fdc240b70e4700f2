/**
 * What an answer says about the intent. `done`: it was carried out. `refused`: it was not, and what follows is another
 * request. `open`: it may still be carried out, or may have been: only the same key may follow.
 */
export type Settlement = 'done' | 'refused' | 'open'

export function settlementOf({ status }: Response): Settlement {
  if (status >= 200 && status < 400) return 'done'
  return status >= 400 && status < 500 && !undecided.has(status) ? 'refused' : 'open'
}

/** They say who may not ask now, or that it is too early to tell; an earlier attempt may have got through. */
const undecided: ReadonlySet<number> = new Set([401, 403, 407, 408, 409, 425, 429])

/** How long the server remembers, by its own clock. Undefined where it does not say. */
export function retainedMs({ headers }: Response): number | undefined {
  const expires = Date.parse(headers.get('idempotency-expires') ?? '')
  if (Number.isNaN(expires)) return undefined
  return expires - (Date.parse(headers.get('date') ?? '') || Date.now())
}
