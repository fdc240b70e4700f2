/**
 * Of a body with a declared length, keeps back what would complete it for its client: the last byte, and
 * whatever a handler writes beyond the length.
 */
export class WithheldBytes {
  #sentBytes = 0
  #held: Buffer | undefined

  /** The part of the next bytes that may go out now, or `undefined` when none may. */
  pass(bytes: Buffer, declaredLength: number | undefined): Buffer | undefined {
    if (this.#held !== undefined) {
      this.#held = Buffer.concat([this.#held, bytes])
      return undefined
    }
    if (declaredLength === undefined || this.#sentBytes + bytes.length < declaredLength) {
      this.#sentBytes += bytes.length
      return bytes
    }
    const allowed = Math.max(0, declaredLength - 1 - this.#sentBytes)
    if (allowed >= bytes.length) return bytes
    this.#held = bytes.subarray(allowed)
    return allowed === 0 ? undefined : bytes.subarray(0, allowed)
  }

  /** What was kept back, followed by the handler's last bytes. */
  rest(last: Buffer | undefined): Buffer | undefined {
    if (this.#held === undefined || last === undefined) return this.#held ?? last
    return Buffer.concat([this.#held, last])
  }
}
