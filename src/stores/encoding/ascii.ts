// Text as ASCII, for databases of any encoding: Postgres takes no NUL, and UTF-8 has no lone halves of surrogate pairs.

/**
 * Plain text stays as it is, for operators to read; JSON can't be mistaken for it, as it begins with `"`. Nothing is
 * encoded as the empty text, so that every id is above it.
 */
export function encodeText(text: string): string {
  return /^(?!")[\x20-\x7e]+$/.test(text) ? text : asciiJson(JSON.stringify(text))
}

export function decodeText(stored: string): string {
  if (!stored.startsWith('"')) return stored
  const text: unknown = JSON.parse(stored)
  if (typeof text !== 'string') throw new Error('a text is not text.')
  return text
}

/** In JSON, anything that is not ASCII is part of a string, where an escape stands for it. */
export function asciiJson(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
