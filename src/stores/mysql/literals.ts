import type { SqlValue } from './session.ts'

// The driver writes bytes at twice their size, so that a body of 10 MiB would not fit the packet that MariaDB takes by default;
// and text in a way that one sql_mode reads otherwise (NO_BACKSLASH_ESCAPES).

/** Puts each value in the place of its question mark. The statements have none but those. */
export function withLiterals(statement: string, values: readonly SqlValue[]): string {
  const [first = '', ...others] = statement.split('?')
  return others.reduce((text, part, index) => `${text}${literal(values[index] ?? null)}${part}`, first)
}

/** Digits of base 16 take twice the size; base 64 takes a function call. */
const longestHexBytes = 1_024

function literal(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return bytes.byteLength <= longestHexBytes
    ? `X'${bytes.toString('hex')}'`
    : `FROM_BASE64('${bytes.toString('base64')}')`
}
