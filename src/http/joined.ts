/** The chunks as one, without a copy where there is one already. */
export function joined<Bytes extends Uint8Array>(chunks: readonly Bytes[]): Bytes | Buffer {
  const only = chunks[0]
  // A server's stream may hold what is no bytes, which `concat` refuses.
  return chunks.length === 1 && only instanceof Uint8Array ? only : Buffer.concat(chunks)
}
