import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import type { Fingerprint } from '../protocol/fingerprint.ts'
import type { StepRecord, StepResult, StoredResponse } from './record.ts'
import type { ClaimResult, Outcome, StepChange } from './store.ts'

/** One key of the `encryption` option. */
export interface EncryptionKey {
  /** Stands in clear beside what the key encrypted, so that it is found again after a rotation. */
  readonly id: string
  readonly key: Uint8Array
}

/** A body or a step's result that can't be read: its key is missing or wrong, or the bytes were changed. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'
}

// A record in clear is answered as it is, so that encryption can be switched on beside records that live. What is
// sealed begins with bytes that no text and no known file format begins with; JSON never begins with a tilde.
const bodyMark = Buffer.from([0x00, 0xff, 0x68, 0x70, 0x78, 0x01])
const jsonMark = '~'
const [tokenBytes, ivBytes, tagBytes] = [8, 12, 16]

/**
 * Encrypts what is kept of answers and steps, and keys the digests of requests. Also where no key is set it looks at
 * what comes back, since an answer that was sealed must not be replayed as it lies in the store.
 *
 * AES-256-GCM under a key for each record, token and field (HKDF-SHA-256), which are the associated data too: nothing
 * that was sealed for one place opens in another.
 */
export class Sealing {
  readonly #keys: ReadonlyMap<string, EncryptionKey>
  readonly #current: EncryptionKey | undefined
  readonly #secrets: readonly KeyedDigest[]

  /** The first key encrypts; all of them decrypt. Without a secret of their own, digests are keyed by these. */
  constructor(keys: readonly EncryptionKey[], secrets: readonly Uint8Array[]) {
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.#current = keys[0]
    const digestKeys =
      secrets.length > 0 ? secrets : keys.map(({ key }) => derived(key, '', 'hapax fingerprint 1'))
    this.#secrets = digestKeys.map((secret) => new KeyedDigest(secret))
  }

  /**
   * The digests under each secret, so that requests from before and after a rotation are compared by the one that they
   * share. A plain SHA-256 of a short body could be guessed from the store.
   */
  keyed(fingerprint: Fingerprint): Fingerprint {
    if (this.#secrets.length === 0) return fingerprint
    return this.#secrets.map((secret) => secret.of(fingerprint)).join(' ')
  }

  sealOutcome(outcome: Outcome, id: string, token: number): Outcome {
    if (this.#current === undefined || outcome.kind === 'unknown' || outcome.response.kind === 'tombstone') {
      return outcome
    }
    const { response } = outcome
    return {
      ...outcome,
      response: { ...response, body: seal(this.#current, response.body, { id, token, field }) },
    }
  }

  sealStep(change: StepChange, id: string, token: number): StepChange {
    if (change.state !== 'finished') return change
    return { ...change, result: this.sealResult(change.result, change.name, id, token) }
  }

  sealResult(result: StepResult, name: string, id: string, token: number): StepResult {
    if (this.#current === undefined || result.kind !== 'json') return result
    const sealed = seal(this.#current, Buffer.from(result.json), { id, token, field: `step ${name}` })
    return { kind: 'json', json: jsonMark + sealed.toString('base64url') }
  }

  /** @throws SealBroken */
  openResult(result: ClaimResult, id: string): ClaimResult {
    switch (result.kind) {
      case 'completed':
        return { ...result, response: this.#opened(result.response, id) }
      case 'claimed': {
        const steps = result.steps && { steps: this.openSteps(result.steps, id) }
        const { takeover } = result
        if (takeover?.of !== 'failed') return { ...result, ...steps }
        return {
          ...result,
          ...steps,
          takeover: { ...takeover, response: this.#opened(takeover.response, id) },
        }
      }
      default:
        return result
    }
  }

  /** @throws SealBroken */
  openSteps(steps: readonly StepRecord[], id: string): readonly StepRecord[] {
    return steps.map((step) => {
      if (step.state === 'begun' || step.result.kind !== 'json' || !step.result.json.startsWith(jsonMark))
        return step
      const sealed = Buffer.from(step.result.json.slice(1), 'base64url')
      const json = this.#open(sealed, { id, field: `step ${step.name}` }).toString()
      return { ...step, result: { kind: 'json', json } }
    })
  }

  #opened(response: StoredResponse, id: string): StoredResponse {
    if (response.kind === 'tombstone' || !isSealed(response.body)) return response
    return { ...response, body: this.#open(response.body, { id, field }) }
  }

  #open(sealed: Uint8Array, place: { readonly id: string; readonly field: string }): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    const idStart = bodyMark.length + 1
    const tokenStart = idStart + (bytes[bodyMark.length] ?? 0)
    const ivStart = tokenStart + tokenBytes
    const tagStart = ivStart + ivBytes
    const textStart = tagStart + tagBytes
    if (bytes.length < textStart) throw new SealBroken('It is cut short.')
    const keyId = bytes.toString('latin1', idStart, tokenStart)
    const key = this.#keys.get(keyId)
    if (key === undefined)
      throw new SealBroken(`It was encrypted with the key "${keyId}", which is not given.`)
    const token = Number(bytes.readBigUInt64BE(tokenStart))
    const [secret, associated] = keyFor(key, { ...place, token })
    try {
      const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(ivStart, tagStart))
      decipher.setAAD(associated).setAuthTag(bytes.subarray(tagStart, textStart))
      return Buffer.concat([decipher.update(bytes.subarray(textStart)), decipher.final()])
    } catch (error) {
      throw new SealBroken(
        `It does not open with the key "${keyId}": the key is another, or the bytes were changed.`,
        {
          cause: error,
        },
      )
    }
  }
}

/** What a body is called in its key and its associated data. */
const field = 'body'

interface Place {
  readonly id: string
  readonly token: number
  readonly field: string
}

/** The mark, the key's id with its length, the token, IV, tag, and the text. */
function seal(key: EncryptionKey, text: Uint8Array, place: Place): Buffer {
  const [secret, associated] = keyFor(key, place)
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', secret, iv).setAAD(associated)
  const encrypted = cipher.update(text)
  const last = cipher.final()
  const token = Buffer.alloc(tokenBytes)
  token.writeBigUInt64BE(BigInt(place.token))
  const id = Buffer.from(key.id, 'latin1')
  return Buffer.concat([bodyMark, Buffer.of(id.length), id, token, iv, cipher.getAuthTag(), encrypted, last])
}

function isSealed(body: Uint8Array): boolean {
  return body.byteLength > bodyMark.length && bodyMark.every((byte, index) => body[index] === byte)
}

function keyFor(
  { key }: EncryptionKey,
  { id, token, field: name }: Place,
): [secret: Buffer, associated: Buffer] {
  const info = `hapax seal 1\n${token}\n${name}`
  return [derived(key, id, info), Buffer.from(`${id}\n${info}`)]
}

function derived(key: Uint8Array, salt: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32))
}

/** Digests under one secret. Their kind names the secret, so that only digests of one secret are compared. */
class KeyedDigest {
  readonly #secret: Uint8Array
  readonly #name: string

  constructor(secret: Uint8Array) {
    this.#secret = secret
    this.#name = this.#hmac('hapax secret 1').slice(0, 6)
  }

  of(fingerprint: Fingerprint): Fingerprint {
    return fingerprint
      .split(' ')
      .map((part) => {
        const colon = part.indexOf(':')
        return `${part.slice(0, colon)}.${this.#name}:${this.#hmac(part)}`
      })
      .join(' ')
  }

  #hmac(text: string): string {
    return createHmac('sha256', this.#secret).update(text).digest('base64url')
  }
}
