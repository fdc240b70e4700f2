/** Something that must hold for any bytes. */
export interface FuzzTarget {
  readonly name: string
  /** What it tries, in a clause. */
  readonly what: string
  /** True where it starts servers or files of its own, and is slower by a factor of a hundred. */
  readonly isServed?: boolean
  /** Pieces that a mutation puts in, beside those that all targets share. */
  readonly tokens?: readonly string[]
  open(): OpenTarget | Promise<OpenTarget>
}

export interface OpenTarget {
  /** What mutation begins with, beside what lies in the target's folder. */
  readonly corpus: ReadonlyArray<string | Uint8Array>
  /** Throws where an invariant is broken. `refused`: what lies outside (a database) did not take the input. */
  run(input: Buffer): Verdict | Promise<Verdict>
  close?(): void | Promise<void>
}

export type Verdict = void | 'refused'

/** A target that needs nothing but the input. */
export function pure(
  name: string,
  what: string,
  corpus: ReadonlyArray<string | Uint8Array>,
  run: (input: Buffer) => void,
  tokens: readonly string[] = [],
): FuzzTarget {
  return { name, what, tokens, open: () => ({ corpus, run }) }
}
