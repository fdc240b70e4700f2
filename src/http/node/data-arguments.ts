export type Chunk = string | Uint8Array | null
export type Callback = (error?: Error | null) => void

/** The arguments of `write` and `end` in their many forms: each of the three may be left out. */
export function dataArguments(
  args: unknown[],
): [chunk: Chunk, encoding: BufferEncoding | undefined, callback: Callback | undefined] {
  const callback = args.find((argument) => typeof argument === 'function')
  const [chunk, encoding] = args.filter((argument) => typeof argument !== 'function')
  // Node's own method would refuse other types with the same error that `toBytes` meets in Buffer.from.
  return [
    (chunk ?? null) as Chunk,
    typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined,
    callback as Callback | undefined,
  ]
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
