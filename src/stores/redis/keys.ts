import { decodeText } from './encoding.ts'
import { encodeText } from './identity.ts'

/** The names of records on the server: the client's prefix, the store's, and the record's id. */
export class Keys {
  /** Matches all records in SCAN. */
  readonly pattern: string
  readonly #prefix: string
  readonly #clientPrefix: string

  constructor(prefix: string, clientPrefix: string) {
    this.#prefix = prefix
    this.#clientPrefix = clientPrefix
    this.pattern = `${(clientPrefix + prefix).replaceAll(/[*?[\]\\^-]/g, String.raw`\$&`)}*`
  }

  /** The key as it is given to the client. */
  keyOf(id: string): string {
    return this.#prefix + encodeText(id)
  }

  /** The key as the server knows it, and the channel of its changes. */
  channelOf(id: string): string {
    return this.#clientPrefix + this.keyOf(id)
  }

  idOf(serverKey: string): string {
    return decodeText(serverKey.slice(this.#clientPrefix.length + this.#prefix.length))
  }
}
