export type Chunk = string | Uint8Array | null
export type Callback = (error?: Error | null) => void

export interface DataArguments {
  readonly chunk: Chunk
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
}

/** The arguments of `write` and `end` in their many forms: each of the three may be left out. */
export function dataArguments(args: readonly unknown[]): DataArguments {
  const callbackAt = args.findIndex((argument) => typeof argument === 'function')
  const [chunk, encoding] = callbackAt < 0 ? args : args.slice(0, callbackAt)
  // Node's own method would refuse other types with the same error that `toBytes` meets in Buffer.from.
  return {
    chunk: (chunk ?? null) as Chunk,
    encoding: typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined,
    callback: args[callbackAt] as Callback | undefined,
  }
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
