import assert from 'node:assert/strict'
import canonicalize from 'canonicalize'
import { canonicalJson } from '../../src/protocol/canonical-json.ts'
import { canonicalValue } from '../../src/protocol/canonical-value.ts'
import { compareFingerprints, type Fingerprint, fingerprintOf } from '../../src/protocol/fingerprint.ts'
import { inLinearTime } from '../linear.ts'
import { pure } from '../target.ts'

const corpus = [
  '{"item":17,"note":"caf\u00e9","list":[1,2.50,-0,1e3],"nested":{"a":null,"b":[true,false]}}',
  '{ "b": 1.0, "a": "\\u0041\\/\\n" }',
  '{"__proto__":{"admin":true},"constructor":{"prototype":{}},"toJSON":1}',
  '[1,1.0,1e0,10E-1,0.1,1e21,123456789012345680000]',
  '{"a":1,"a":2}',
  '"\\ud83d\\udcb3\\ud800"',
  '[[[[[[[[[[{"a":[{"b":[]}]}]]]]]]]]]]',
  ' [ ] ',
  '{"a":1}\0{"a":2}',
  '{"a":1,"b":2}\0{"b":2.0,"a":1}',
  'not json',
]
const tokens = [
  '{"a":',
  '[',
  ']',
  '}',
  '{}',
  '\\u0041',
  '\\ud800',
  '\\u0000',
  '1.0',
  '1e0',
  '-0',
  '1e-7',
  '5e-324',
  '0.30000000000000004',
  'true',
  '"a":1,',
  '"toJSON":',
  '\u2028',
]

/** One text, or two with a NUL between, to be compared. */
export const jsonTarget = pure(
  'json',
  'canonical JSON and fingerprints are equal for equal values, and for no others',
  corpus,
  (input) => {
    const cut = input.indexOf(0)
    const first = cut === -1 ? input : input.subarray(0, cut)
    const one = formOf(first)
    if (one.canonical !== undefined) assertOneForm(one.value, one.canonical)
    if (one.isJson) assertOtherIsDifferent(one.value)
    if (cut === -1) return

    const second = input.subarray(cut + 1)
    const other = formOf(second)
    const isSame = first.equals(second) || (one.canonical !== undefined && one.canonical === other.canonical)
    assert.equal(compareFingerprints(fingerprint(first), fingerprint(second)), isSame ? 'same' : 'different')
  },
  tokens,
)

type Form =
  | { readonly isJson: false; readonly canonical: undefined }
  | { readonly isJson: true; readonly value: unknown; readonly canonical: string | undefined }

function formOf(bytes: Buffer): Form {
  const text = bytes.toString()
  const canonical = inLinearTime(bytes.length, () => canonicalJson(bytes))?.toString()
  const parsed = parse(text)
  if (parsed === undefined) {
    assert.equal(canonical, undefined, 'what JSON.parse refuses has a form')
    return { isJson: false, canonical: undefined }
  }
  return { isJson: true, value: parsed.value, canonical }
}

function assertOneForm(value: unknown, canonical: string): void {
  assert.equal(canonicalJson(Buffer.from(canonical))?.toString(), canonical, 'a form has another form')
  assert.equal(canonicalValue(value), canonical, 'the value has another form than its text')
  // RFC 8785 has no form for half of a surrogate pair.
  if (!/\\ud[89a-f]/.test(canonical)) assert.equal(canonicalize(value), canonical)
  const respelt = JSON.stringify(value, null, 2)
  assert.equal(
    compareFingerprints(fingerprint(Buffer.from(canonical)), fingerprint(Buffer.from(respelt))),
    'same',
  )
  assert.equal(
    compareFingerprints(fingerprint(Buffer.from(canonical)), ofValue(value)),
    comparisonOfValue(value),
  )
}

/** Nobody can tell a parsed JSON string from a text that was not parsed: it is compared by its bytes. */
function comparisonOfValue(value: unknown): ReturnType<typeof compareFingerprints> {
  if (typeof value !== 'string') return 'same'
  return /\p{Cs}/u.test(value) ? 'same' : 'different'
}

function assertOtherIsDifferent(value: unknown): void {
  const text = canonicalValue(value)
  if (text === undefined) return
  for (const other of [[value], { a: value }, text, changed(value)]) {
    assert.notEqual(canonicalValue(other), text, 'two values have one form')
  }
}

function changed(value: unknown): unknown {
  if (Array.isArray(value)) return [...value, null]
  if (typeof value === 'object' && value !== null) {
    const entries: Array<[string, unknown]> = Object.entries(value)
    return Object.fromEntries([...entries, ['a name that is new', 1]])
  }
  return typeof value === 'number' ? `${value}` : 17.25
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

const request = { method: 'POST', target: '/orders', mediaType: 'application/json' }

function fingerprint(bytes: Buffer): Fingerprint {
  return inLinearTime(bytes.length, () => fingerprintOf({ ...request, body: { kind: 'bytes', bytes } }))
}

function ofValue(value: unknown): Fingerprint {
  return fingerprintOf({ ...request, body: { kind: 'value', value } })
}
