export type Chunk = string | Uint8Array | null
export type Callback = (error?: Error | null) => void

export interface DataArguments {
  readonly chunk: Chunk
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
}

/** The arguments of `write` and `end` in their many forms: each of the three may be left out. */
export function dataArguments(first: unknown, second: unknown, third: unknown): DataArguments {
  if (typeof first === 'function') return { chunk: null, encoding: undefined, callback: first as Callback }
  return {
    // Node's own method would refuse other types with the same error that `toBytes` meets in Buffer.from.
    chunk: (first ?? null) as Chunk,
    encoding: typeof second === 'string' ? (second as BufferEncoding) : undefined,
    callback: callbackIn(second) ?? callbackIn(third),
  }
}

function callbackIn(argument: unknown): Callback | undefined {
  return typeof argument === 'function' ? (argument as Callback) : undefined
}

/** Always a copy: the handler may use its buffer again, and the record must not change with it. */
export function toBytes(chunk: Chunk, encoding: BufferEncoding | undefined): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk)
  throw Object.assign(
    new TypeError('The "chunk" argument must be of type string or an instance of Buffer or Uint8Array.'),
    { code: 'ERR_INVALID_ARG_TYPE' },
  )
}
