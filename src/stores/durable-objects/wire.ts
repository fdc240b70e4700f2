// What a Worker and an object say to each other: JSON, with the bytes of bodies behind it.
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  InspectedRecord,
  InspectPage,
  InspectQuery,
  Outcome,
  RenewResult,
  Resolution,
  SettleResult,
  StepChange,
  WriteResult,
} from '../../core/store.ts'
import { isFields } from '../encoding/fields.ts'

/** The verbs of a store, as one object is asked for them. */
export type Call =
  | { readonly verb: 'claim'; readonly request: ClaimRequest }
  | { readonly verb: 'renew'; readonly leases: readonly HeldLease[] }
  | { readonly verb: 'complete'; readonly lease: HeldLease; readonly outcome: Outcome }
  | { readonly verb: 'release'; readonly lease: HeldLease; readonly clean: boolean }
  | { readonly verb: 'recordStep'; readonly lease: HeldLease; readonly change: StepChange }
  | { readonly verb: 'abandon'; readonly id: string; readonly owner: string }
  | { readonly verb: 'list'; readonly query: InspectQuery }
  | { readonly verb: 'get'; readonly id: string }
  | { readonly verb: 'forget'; readonly id: string }
  | { readonly verb: 'settle'; readonly id: string; readonly resolution: Resolution }

export interface Answers {
  readonly claim: ClaimResult
  readonly renew: readonly RenewResult[]
  readonly complete: WriteResult
  readonly release: WriteResult
  readonly recordStep: WriteResult
  readonly abandon: void
  readonly list: InspectPage
  readonly get: InspectedRecord | undefined
  readonly forget: boolean
  readonly settle: SettleResult
}

export type Verb = keyof Answers

export type Reply<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }

const lengthBytes = 4

export function pack(message: object): ArrayBuffer {
  const bodies: Uint8Array[] = []
  const json = JSON.stringify(message, function takeBody(this: unknown, name: string, value: unknown) {
    // Not `value`: of a Buffer that is already what its toJSON() made.
    const given = isFields(this) ? this[name] : undefined
    if (!(given instanceof Uint8Array)) return value
    bodies.push(given)
    return { [bodyMark]: given.byteLength }
  })
  const head = new TextEncoder().encode(json)
  const total = bodies.reduce((sum, body) => sum + body.byteLength, lengthBytes + head.byteLength)
  const packed = new Uint8Array(total)
  new DataView(packed.buffer).setUint32(0, head.byteLength)
  packed.set(head, lengthBytes)
  let offset = lengthBytes + head.byteLength
  for (const body of bodies) {
    packed.set(body, offset)
    offset += body.byteLength
  }
  return packed.buffer
}

/** Who packed it is this package, in the same Worker: the type is what it packed. */
export function unpack<Message>(packed: ArrayBuffer): Message {
  const headBytes = new DataView(packed).getUint32(0)
  const json = new TextDecoder().decode(new Uint8Array(packed, lengthBytes, headBytes))
  let offset = lengthBytes + headBytes
  // Members are revived in the order in which they were written, so bodies stand in the order of their marks.
  const message: unknown = JSON.parse(json, (_, value: unknown) => {
    const bodyBytes = isFields(value) ? value[bodyMark] : undefined
    if (typeof bodyBytes !== 'number') return value
    const body = new Uint8Array(packed, offset, bodyBytes)
    offset += bodyBytes
    return body
  })
  return message as Message
}

/** No object of a record has a member of this name, and none has names that a caller chose. */
const bodyMark = '$bytes'
