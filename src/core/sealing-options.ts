import { invalidOption } from './errors.ts'
import type { EncryptionKey } from './sealing.ts'

/** One key, or a list of them with the newest first. Never names what was received: it may be a secret. */
export function readEncryption(value: unknown, option: string): readonly EncryptionKey[] {
  if (value === undefined) return []
  const keys = listIn(value).map((entry) => readKey(entry, option))
  const ids = new Set(keys.map(({ id }) => id))
  if (keys.length === 0 || ids.size < keys.length) throw wrongKeys(option)
  return keys
}

export function readSecrets(value: unknown, option: string): readonly Uint8Array[] {
  if (value === undefined) return []
  const secrets = listIn(value).map((entry) => (typeof entry === 'string' ? Buffer.from(entry) : entry))
  if (secrets.length > 0 && secrets.every(isLongSecret)) return secrets
  throw invalidOption(
    option,
    'a secret of at least 16 bytes, or a list of them with the newest first',
    redacted,
  )
}

function isLongSecret(secret: unknown): secret is Uint8Array {
  return secret instanceof Uint8Array && secret.byteLength >= 16
}

function readKey(entry: unknown, option: string): EncryptionKey {
  if (typeof entry !== 'object' || entry === null || !('id' in entry) || !('key' in entry))
    throw wrongKeys(option)
  const { id, key } = entry
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : key
  const isWhole = bytes instanceof Uint8Array && bytes.byteLength === 32
  if (typeof id === 'string' && /^[\w.-]{1,32}$/.test(id) && isWhole) return { id, key: bytes }
  throw wrongKeys(option)
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function wrongKeys(option: string): Error {
  const expected =
    '{ id, key } with a key of 32 bytes (as bytes, or in base64: node -p "crypto.randomBytes(32).toString(\'base64\')"), ' +
    'or a list of those with different ids, the newest first'
  return invalidOption(option, expected, redacted)
}

const redacted = 'something else'
