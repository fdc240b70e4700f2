// Parts of the Redis store that need no server.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  decodeFingerprint,
  decodeLabel,
  decodeOwner,
  decodeResponse,
  encodeEnvelope,
} from '../../src/stores/redis/encoding.ts'
import { encodeFingerprint, encodeLabel, encodeOwner } from '../../src/stores/redis/identity.ts'
import { Gate } from '../../src/stores/redis/gate.ts'
import { keySlot } from '../../src/stores/redis/key-slot.ts'
import { decodeRecord } from '../../src/stores/redis/record.ts'

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.uuid(),
  fc.constantFrom('', '\0', '"', '[', '\ud800'),
)

describe('scripts', () => {
  test('the module is what the .lua files say', () => {
    const script = fileURLToPath(new URL('../../scripts/embed-lua.ts', import.meta.url))
    expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow()
  })

  test.each(['claim', 'renew', 'complete', 'release', 'abandon', 'settle', 'forget', 'watch', 'read'])(
    '%s.lua names its keys, its arguments and what it returns',
    (name) => {
      const path = new URL(`../../src/stores/redis/lua/${name}.lua`, import.meta.url)
      const text = readFileSync(path, 'utf8')
      const head = text.slice(0, text.search(/^$/m)) + (/^-- Returns.*$/m.exec(text)?.[0] ?? '')
      expect(head).toContain('KEYS[1]')
      for (const [, index] of text.matchAll(/^[^-].*ARGV\[(\d+)\]/gm)) {
        expect(text).toMatch(new RegExp(`^-- ARGV\\[${index}\\]|^-- ARGV\\[1\\] to ARGV\\[9\\]`, 'm'))
      }
    },
  )
})

describe('what is written is read back', () => {
  test('owners', () => {
    fc.assert(
      fc.property(anyText, (owner) => {
        expect(decodeOwner(encodeOwner(owner))).toBe(owner)
      }),
    )
  })

  test('fingerprints, those of SHA-256 in 33 bytes a digest', () => {
    const sha256 = fc.string().map((text) => createHash('sha256').update(text).digest('base64url'))
    const part = fc.tuple(fc.constantFrom('b1', 'v1', 'c1', 'x', ''), fc.oneof(sha256, anyText))
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const fingerprint = parts.map(([kind, digest]) => `${kind}:${digest}`).join(' ')
        // A kind can't hold half of a surrogate pair: it has no escape.
        fc.pre(!/\p{Cs}[^ ]*:/u.test(fingerprint))
        expect(decodeFingerprint(encodeFingerprint(fingerprint))).toBe(fingerprint)
      }),
    )
    const digest = createHash('sha256').digest('base64url')
    expect(encodeFingerprint(`b1:${digest} v1:${digest}`)).toHaveLength(66)
  })

  test('labels', () => {
    fc.assert(
      fc.property(anyText, anyText, (key, scope) => {
        expect(decodeLabel(encodeLabel({ key, scope }))).toEqual({ key, scope })
      }),
    )
    expect(decodeLabel(Buffer.alloc(0))).toBeUndefined()
  })

  test('headers', () => {
    const headers = fc.array(fc.tuple(anyText, anyText))
    fc.assert(
      fc.property(headers, fc.option(headers, { nil: undefined }), (list, trailers) => {
        const response = { kind: 'kept' as const, status: 200, headers: list, ...(trailers && { trailers }) }
        const body = Buffer.from('body')
        const envelope = Buffer.from(encodeEnvelope({ ...response, body }))
        expect(decodeResponse(envelope, body)).toEqual({ ...response, body })
      }),
    )
  })

  test('whatever stands in a record, reading it does not throw', () => {
    const head = fc
      .uint8Array({ minLength: 0, maxLength: 120 })
      .map((bytes) => Buffer.concat([Buffer.of(1), bytes]))
    fc.assert(
      fc.property(head, (bytes) => {
        expect(['record', 'unreadable']).toContain(decodeRecord('k', bytes).kind)
      }),
    )
  })
})

test('slots are those of the specification', () => {
  // The reference values of the Redis Cluster specification, and of CLUSTER KEYSLOT.
  expect(keySlot('123456789')).toBe(0x31c3)
  expect(keySlot('somekey')).toBe(11_058)
  expect(keySlot('foo{hash_tag}')).toBe(2_515)
  expect(keySlot('foo{}{bar}')).toBe(8_363)
  expect(keySlot('')).toBe(0)
})

describe('the gate before the client', () => {
  afterEach(() => {
    vi.useRealTimers()
  })
  const never = () => new Promise<string>(() => {})
  const answer = () => Promise.resolve('answer')
  // The gate asks a connection only whether it is ready, and real ones can't be made to stay silent on cue.
  const connection = { isReady: () => true } as unknown as ConstructorParameters<typeof Gate>[0]

  test('a client that never answers gets one command every two seconds, and all again after one answer', async () => {
    vi.useFakeTimers()
    const gate = new Gate(connection)
    void gate.pass('k', never)
    expect(await gate.pass('k', answer)).toBe('answer')
    await vi.advanceTimersByTimeAsync(2_001)
    void gate.pass('k', never)
    await vi.advanceTimersByTimeAsync(200)
    await expect(gate.pass('k', answer)).rejects.toMatchObject({ code: 'store-failed' })
    await vi.advanceTimersByTimeAsync(2_000)
    const probe = gate.pass('k', answer)
    await vi.advanceTimersByTimeAsync(100)
    expect(await probe).toBe('answer')
    expect(await gate.pass('k', answer)).toBe('answer')
  })

  test('a client that is not connected is waited for, but not for longer than a second', async () => {
    vi.useFakeTimers()
    let isReady = false
    const gate = new Gate({ ...connection, isReady: () => isReady })
    const patient = gate.pass('k', answer)
    await vi.advanceTimersByTimeAsync(500)
    isReady = true
    await vi.advanceTimersByTimeAsync(50)
    expect(await patient).toBe('answer')
    isReady = false
    const refused = expect(gate.pass('k', answer)).rejects.toMatchObject({ code: 'store-failed' })
    await vi.advanceTimersByTimeAsync(1_100)
    await refused
    await expect(gate.pass('k', answer)).rejects.toMatchObject({ code: 'store-failed' })
  })
})
