import { createHash, hash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import { canonicalValue } from './canonical-value.ts'
import { mediaTypeEssence } from './headers.ts'
import { multipartPieces } from './multipart.ts'

/**
 * What a request is recognised by: one or more digests as `kind:digest`, with a space between, in
 * alphabetical order. Each digest is a SHA-256 in base64url.
 *
 * Kinds: `b1` of the bytes, `v1` of the value, `c1` of what the user's own function chose. The digit is the
 * version of what is hashed.
 */
export type Fingerprint = string

/**
 * A request's body: its bytes (with the boundary where it is multipart), or what a parser made of it.
 */
export type FingerprintBody =
  | { kind: 'bytes'; bytes: Uint8Array; boundary?: string }
  | { kind: 'value'; value: unknown }

/**
 * The fingerprint of a request. Every digest covers the method, the target as received, the media type
 * without its parameters, and the body.
 *
 * - Bytes give `b1`. JSON of at most 1 MiB that has a canonical form (`canonicalJson`) gives `v1` too, so
 *   that the order of members and whitespace do not matter. So does a multipart body whose boundary is
 *   given: its parts are compared without the boundary, which browsers make anew for each retry.
 * - A parsed value gives `v1` only, equal to that of the JSON text with that value.
 * - A value that is a string or bytes is a body that a parser did not take apart, and gives what bytes give;
 *   but a string never gives `v1`: nobody can tell a JSON text from a parsed JSON string.
 *
 * @throws TypeError for a value that has no canonical form (`canonicalValue`): another request could then
 * not be told from it.
 * @example
 * fingerprintOf({ method: 'POST', target: '/orders', mediaType: 'application/json',
 *   body: { kind: 'bytes', bytes: Buffer.from('{"item":17}') } }) // 'b1:… v1:…'
 */
export function fingerprintOf(request: {
  method: string
  target: string
  mediaType: string
  body: FingerprintBody
}): Fingerprint {
  const mediaType = mediaTypeEssence(request.mediaType)
  const head = fieldsText(['request', request.method, request.target, mediaType])
  const { body } = request
  if (body.kind === 'bytes') return bytesFingerprint(head, body.bytes, formOf(mediaType, body))

  const bytes = bytesOf(body.value)
  if (bytes !== undefined) return bytesFingerprint(head, bytes, formOf(mediaType, { bytes }))
  if (typeof body.value === 'string' && isWellFormed(body.value)) {
    return bytesFingerprint(head, Buffer.from(body.value), undefined)
  }
  return join('v1', valueDigest('v1', head, body.value))
}

/**
 * The fingerprint that a user's `fingerprint` option chose: of a string, of bytes or of a JSON value.
 *
 * @throws TypeError for undefined, and for a value that has no canonical form (`canonicalValue`): all
 * requests would seem to be the same.
 * @example
 * customFingerprint([request.method, order.id])
 */
export function customFingerprint(value: unknown): Fingerprint {
  if (value === undefined) throw new TypeError('A fingerprint was expected, but the value is undefined.')
  return join('c1', payloadDigest('c1', 'custom', value))
}

/**
 * The fingerprint of the `payload` that is given to `run`: of a JSON value, of bytes, or of nothing at all.
 * Undefined differs from null.
 *
 * @throws TypeError for a value that has no canonical form (`canonicalValue`).
 * @example
 * payloadFingerprint({ orderId: 17 })
 */
export function payloadFingerprint(payload: unknown): Fingerprint {
  return join('v1', payloadDigest('v1', 'payload', payload))
}

/**
 * Compares two fingerprints by the kinds of digest that both have.
 *
 * - `same`: a digest of one kind is equal in both.
 * - `different`: they have kinds in common, and no digest is equal.
 * - `incomparable`: they have no kind in common, as when one request was read as bytes and the other as a
 *   parsed value. Nobody can say whether they are the same request, so it must not run.
 *
 * @example
 * compareFingerprints('b1:AAA v1:BBB', 'b1:CCC v1:BBB') // 'same'
 */
export function compareFingerprints(a: Fingerprint, b: Fingerprint): 'same' | 'different' | 'incomparable' {
  const digestsOfB = digestsByKind(b)
  let shared = false
  for (const [kind, digestOfA] of digestsByKind(a)) {
    const other = digestsOfB.get(kind)
    if (other === digestOfA) return 'same'
    if (other !== undefined) shared = true
  }
  return shared ? 'different' : 'incomparable'
}

type Kind = 'b1' | 'v1' | 'c1'

// The body in a form that all spellings of one value share.
type Form = { name: 'json' | 'multipart'; pieces: ReadonlyArray<string | Uint8Array> }

function bytesFingerprint(head: string, bytes: Uint8Array, form: Form | undefined): Fingerprint {
  const ofBytes = join('b1', digest('b1', head + fieldText('bytes'), [bytes]))
  if (form === undefined) return ofBytes
  return `${ofBytes} ${join('v1', digest('v1', head + fieldText(form.name), form.pieces))}`
}

// Larger JSON is compared by its bytes only: to parse it here would block the event loop for all requests.
const maxJsonBytes = 1024 * 1024

function formOf(mediaType: string, body: { bytes: Uint8Array; boundary?: string }): Form | undefined {
  if (isJson(mediaType)) {
    const canonical = body.bytes.length <= maxJsonBytes ? canonicalJson(body.bytes) : undefined
    return canonical === undefined ? undefined : { name: 'json', pieces: [canonical] }
  }
  if (mediaType.startsWith('multipart/') && body.boundary !== undefined) {
    const pieces = multipartPieces(body.bytes, body.boundary)
    return pieces === undefined ? undefined : { name: 'multipart', pieces }
  }
  return undefined
}

function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType === 'text/json' || mediaType.endsWith('+json')
}

function payloadDigest(kind: Kind, purpose: string, payload: unknown): string {
  const bytes = bytesOf(payload)
  return bytes === undefined
    ? valueDigest(kind, fieldText(purpose), payload)
    : digest(kind, fieldsText([purpose, 'bytes']), [bytes])
}

function valueDigest(kind: Kind, head: string, value: unknown): string {
  if (value === undefined) return digest(kind, head + fieldText('nothing'), [])
  const canonical = canonicalValue(value)
  if (canonical === undefined) {
    throw new TypeError(
      'A value to be fingerprinted must be JSON, a string or bytes: it has no canonical form.',
    )
  }
  return digest(kind, head + fieldText('json'), [canonical])
}

// In UTF-8, half of a surrogate pair becomes U+FFFD, and different texts one. No body has such a half, but a
// string that was parsed from JSON may.
function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text)
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined
}

// Every field has its length in front, and the first field of the head fixes the number of the others, so
// that no two different requests are hashed as the same bytes.
function digest(kind: Kind, head: string, pieces: ReadonlyArray<string | Uint8Array>): string {
  const [piece] = pieces
  if (piece === undefined) return hash('sha256', `hapax ${kind}\n${head}`, 'base64url')
  const text = `hapax ${kind}\n${head}${Buffer.byteLength(piece)}:`
  if (pieces.length > 1 || piece.length > smallPiece) return digestOfMany(text, pieces)
  return hash('sha256', typeof piece === 'string' ? text + piece : joined(text, piece), 'base64url')
}

function fieldsText(fields: readonly string[]): string {
  return fields.map(fieldText).join('')
}

function fieldText(field: string): string {
  return `${Buffer.byteLength(field)}:${field}`
}

// To copy a small piece costs less than a Hash object does, which the garbage collector has to finalize.
const smallPiece = 64 * 1024
const joint = Buffer.allocUnsafeSlow(smallPiece)

function digestOfMany(text: string, [first = '', ...others]: ReadonlyArray<string | Uint8Array>): string {
  const whole = createHash('sha256').update(text).update(first)
  for (const piece of others) whole.update(`${Buffer.byteLength(piece)}:`).update(piece)
  return whole.digest('base64url')
}

/** Lent: the next call overwrites it. */
function joined(text: string, bytes: Uint8Array): Uint8Array {
  const textBytes = Buffer.byteLength(text)
  const length = textBytes + bytes.length
  const whole = length > joint.length ? Buffer.allocUnsafe(length) : joint
  whole.write(text)
  whole.set(bytes, textBytes)
  return whole.subarray(0, length)
}

function join(kind: Kind, digestText: string): Fingerprint {
  return `${kind}:${digestText}`
}

function digestsByKind(fingerprint: Fingerprint): Map<string, string> {
  const digests = new Map<string, string>()
  for (const part of fingerprint.split(' ')) {
    const colon = part.indexOf(':')
    if (colon > 0) digests.set(part.slice(0, colon), part.slice(colon + 1))
  }
  return digests
}
