import { isAscii } from 'node:buffer'

/**
 * The last bytes of an answer as Node sends them for least: a head and a text behind it leave in one go, a head and
 * bytes in two, which for a small answer is much of its cost. To be sent as `latin1`, which is the head's encoding.
 *
 * @param text The bytes as UTF-8 text, where it is there already.
 */
export function lastChunk(bytes: Buffer, text?: string): string | Buffer {
  return bytes.length <= smallBytes && isAscii(bytes) ? (text ?? bytes.toString('latin1')) : bytes
}

/** What is larger is copied sooner than turned into text. */
const smallBytes = 8192
