import { randomUUID } from 'node:crypto'

export interface Order {
  readonly id: string
}

/** The effect that must not happen twice: each call is one more order. */
export class Orders {
  #count = 0

  create(): Order {
    this.#count += 1
    return { id: randomUUID() }
  }

  effects(): { readonly count: number } {
    return { count: this.#count }
  }
}
