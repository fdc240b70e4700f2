import { isRawKey, serializeString } from '../../protocol/key-form.ts'
import { ClientError } from '../errors.ts'

export type KeyFormat = 'quoted' | 'raw'

/** A new key: a random UUID (version 4). */
export function newKey(): string {
  // Pages without HTTPS have no randomUUID.
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const digits = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  )
  return digits.join('').replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5')
}

const maxKeyLength = 255

/** @throws {ClientError} `malformed-key` */
export function keyField(key: string, format: KeyFormat): string {
  const tooLong = key.length > maxKeyLength
  const value = format === 'raw' ? (isRawKey(key) ? key : undefined) : serializeString(key)
  if (value !== undefined && key.trim() !== '' && !tooLong) return value
  const allowed = format === 'raw' ? 'letters, digits and . _ ~ : / + = @ -' : 'printable ASCII'
  throw new ClientError(
    'malformed-key',
    `An idempotency key must have 1 to ${maxKeyLength} characters, of ${allowed}. Use a UUID.`,
  )
}
