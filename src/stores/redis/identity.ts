// How owner, fingerprint and label of a record are written, one after the other into one buffer: each claim does it.

import type { RecordLabel } from '../../core/record.ts'
import type { ClaimRequest } from '../../core/store.ts'
import type { Fingerprint } from '../../protocol/fingerprint.ts'

/** Writes three lengths in seven bytes from `at`, and what they belong to behind them. Returns the end. */
export function writeIdentity(bytes: Buffer, at: number, request: ClaimRequest): number {
  const ownerAt = at + 7
  const fingerprintAt = writeOwner(bytes, ownerAt, request.owner)
  const labelAt = writeFingerprint(bytes, fingerprintAt, request.fingerprint)
  const end = request.label === undefined ? labelAt : writeLabel(bytes, labelAt, request.label)
  bytes.writeUInt16LE(fingerprintAt - ownerAt, at)
  bytes.writeUInt16LE(labelAt - fingerprintAt, at + 2)
  bytes.writeUIntLE(end - labelAt, at + 4, 3)
  return end
}

/** No identity is longer than this. */
export function identityBytes({ owner, fingerprint, label }: ClaimRequest): number {
  return 7 + ownerBytes(owner) + fingerprintBytes(fingerprint) + (label === undefined ? 0 : labelBytes(label))
}

/** A character takes six bytes where JSON escapes it, and three at most in UTF-8. */
const longestCharacter = 6

function ownerBytes(owner: string): number {
  return longestCharacter * owner.length + 3
}

// Between any two digests is a space; each has up to three bytes of lengths, and its text maybe quotes.
function fingerprintBytes(fingerprint: Fingerprint): number {
  return (longestCharacter + 5) * fingerprint.length + 5
}

function labelBytes({ key, scope }: RecordLabel): number {
  return longestCharacter * (key.length + scope.length) + 8
}

export const uuidBytes = 17
export const [uuidMark, textMark] = [0, 1]
const jsonMark = 2

export function encodeOwner(owner: string): Buffer {
  const stored = Buffer.allocUnsafe(ownerBytes(owner))
  return stored.subarray(0, writeOwner(stored, 0, owner))
}

/** A UUID in 16 bytes instead of 36. */
function writeOwner(bytes: Buffer, at: number, owner: string): number {
  const uuidEnd = writeUuid(bytes, at, owner)
  if (uuidEnd !== undefined) return uuidEnd
  bytes[at] = textMark
  return at + 1 + bytes.write(encodeText(owner), at + 1)
}

/** Undefined, with some bytes written already, for a text that is no UUID in lower case. */
function writeUuid(bytes: Buffer, at: number, text: string): number | undefined {
  if (text.length !== uuidCharacters) return undefined
  bytes[at] = uuidMark
  let half = 2 * (at + 1)
  for (let index = 0; index < uuidCharacters; index += 1) {
    const code = text.charCodeAt(index)
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (code !== hyphen) return undefined
      continue
    }
    const nibble = nibbleOf(code)
    if (nibble === undefined) return undefined
    const byteAt = half >> 1
    bytes[byteAt] = half % 2 === 0 ? nibble << 4 : (bytes[byteAt] ?? 0) | nibble
    half += 1
  }
  return at + uuidBytes
}

function nibbleOf(code: number): number | undefined {
  if (code >= zero && code <= nine) return code - zero
  return code >= lowerA && code <= lowerF ? code - lowerA + 10 : undefined
}

const uuidCharacters = 36
const [hyphen, zero, nine, lowerA, lowerF] = [0x2d, 0x30, 0x39, 0x61, 0x66]

/** UTF-8 has no lone halves of surrogate pairs, and turns each into U+FFFD: two ids would become one. */
export function encodeText(text: string): string {
  return /\p{Cs}/u.test(text) || text.startsWith('"') ? JSON.stringify(text) : text
}

/** A SHA-256 of these kinds is one byte for the kind, from 255 down, and its 32 bytes. */
export const sha256Kinds = ['b1', 'v1', 'c1']
/** Of 43 characters the last holds four bits, so that each digest has one spelling only. */
const sha256Text = /^[\w-]{42}[AEIMQUYcgkosw048]$/
const longestKind = 255 - sha256Kinds.length
const longestDigest = 65_535

export function encodeFingerprint(fingerprint: Fingerprint): Buffer {
  const stored = Buffer.allocUnsafe(fingerprintBytes(fingerprint))
  return stored.subarray(0, writeFingerprint(stored, 0, fingerprint))
}

/**
 * A list of digests, each with the length of its kind and of its digest in front, so that the script can
 * compare them by kind. The same digest always becomes the same bytes.
 */
function writeFingerprint(bytes: Buffer, at: number, fingerprint: Fingerprint): number {
  let end = at
  for (const part of fingerprint.split(' ')) end = writeDigest(bytes, end, part)
  return end
}

function writeDigest(bytes: Buffer, at: number, part: string): number {
  const colon = part.indexOf(':')
  const kind = colon > 0 ? part.slice(0, colon) : ''
  // A part without a kind is kept for whoever reads the record, and takes part in no comparison.
  const digest = colon > 0 ? part.slice(colon + 1) : part
  const common = sha256Kinds.indexOf(kind)
  if (common >= 0 && sha256Text.test(digest)) {
    bytes[at] = 255 - common
    return at + 1 + bytes.write(digest, at + 1, 'base64url')
  }
  const kindBytes = bytes.write(kind, at + 1)
  const textAt = at + 1 + kindBytes + 2
  const textBytes = bytes.write(encodeText(digest), textAt)
  if (kindBytes > longestKind || textBytes > longestDigest) {
    throw new Error('A digest in a fingerprint is too long.')
  }
  bytes[at] = kindBytes
  bytes.writeUInt16LE(textBytes, textAt - 2)
  return textAt + textBytes
}

export function encodeLabel(label: RecordLabel): Buffer {
  const stored = Buffer.allocUnsafe(labelBytes(label))
  return stored.subarray(0, writeLabel(stored, 0, label))
}

/** A key that is a UUID in 16 bytes; else key and scope with a NUL between; JSON for what holds neither. */
function writeLabel(bytes: Buffer, at: number, { key, scope }: RecordLabel): number {
  if (!isPlain(key) || !isPlain(scope)) {
    bytes[at] = jsonMark
    return at + 1 + bytes.write(JSON.stringify([key, scope]), at + 1)
  }
  const scopeAt = writeUuid(bytes, at, key)
  if (scopeAt !== undefined) return scopeAt + bytes.write(scope, scopeAt)
  bytes[at] = textMark
  return at + 1 + bytes.write(`${key}\0${scope}`, at + 1)
}

/** Can stand in a list that is separated by NUL, and comes back from UTF-8 as it was. */
export function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code === 0) return false
    // From here on are surrogates, of which a whole pair is as good as any other character.
    if (code >= firstSurrogate) return !/[\0\p{Cs}]/u.test(text)
  }
  return true
}

const firstSurrogate = 0xd800
