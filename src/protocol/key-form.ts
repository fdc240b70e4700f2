// How a key is written in a header. Apart from how it is read, so that the client can take it to a browser.

/**
 * Writes a String as RFC 9651, section 4.1.6, says. Returns undefined for a character that a String can't
 * carry: anything but printable ASCII and space.
 */
export function serializeString(value: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(value)) return undefined
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}

/** Whether a key can be sent without quotes, as most published APIs want it. */
export function isRawKey(value: string): boolean {
  return /^[A-Za-z0-9._~:/+=@-]+$/.test(value)
}
