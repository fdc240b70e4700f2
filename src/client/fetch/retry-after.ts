/**
 * Reads `Retry-After` (RFC 9110, section 10.2.3) as milliseconds from now. Undefined where it is absent or
 * neither seconds nor a date.
 *
 * @param date The answer's `Date`: a date is measured from there, since the client's clock may be wrong.
 */
export function retryAfterMs(value: string | null | undefined, date?: string | null): number | undefined {
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  // Date.parse takes nearly anything for a date: "1.5" is the fifth of January.
  const at = value.endsWith(' GMT') ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - (Date.parse(date ?? '') || Date.now()))
}
