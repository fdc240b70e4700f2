import { savedInputs } from './corpus.ts'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'
import type { FuzzTarget, OpenTarget, Verdict } from './target.ts'

export interface FuzzOptions {
  /** How many mutated inputs to run, after those that once failed and those of the corpus. */
  readonly inputs: number
  /** Runs so many inputs of the corpus as they are. Default: all. */
  readonly corpusInputs?: number
  readonly seed: number
  /** Ends after this time, however many inputs are left. */
  readonly limitMs?: number
  readonly onProgress?: (inputs: number) => void
}

export interface FuzzResult {
  readonly target: string
  readonly inputs: number
  /** Of these, what a database itself did not take. */
  readonly refused: number
  readonly elapsedMs: number
  readonly failure?: { readonly input: Buffer; readonly error: unknown }
}

/** Runs a target on its corpus and then on mutations of it, until one breaks an invariant. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const opened = await target.open()
  try {
    return await fuzzOpened(target, opened, options)
  } finally {
    await opened.close?.()
  }
}

export async function fuzzOpened(
  { name, tokens = [] }: FuzzTarget,
  opened: OpenTarget,
  { inputs, seed, limitMs = Number.POSITIVE_INFINITY, corpusInputs, onProgress }: FuzzOptions,
): Promise<FuzzResult> {
  const saved = savedInputs(name)
  const seeds = opened.corpus.map(bytesOf)
  const corpus = [...saved, ...seeds]
  const first = [...saved, ...spread(seeds, corpusInputs ?? seeds.length)]
  const pieces = [...commonTokens, ...tokens].map(bytesOf)
  const random = new Random(seed)
  const startMs = performance.now()
  let [done, refused] = [0, 0]
  for (let index = 0; index < first.length + inputs; index += 1) {
    const input = first[index] ?? mutate(random, corpus, pieces)
    if (index >= first.length && performance.now() - startMs > limitMs) break
    try {
      const verdict: Verdict | Promise<Verdict> = opened.run(input)
      // Millions of inputs need no turn of the event loop each.
      if ((verdict instanceof Promise ? await inTime(verdict) : verdict) === 'refused') refused += 1
    } catch (error) {
      const elapsedMs = performance.now() - startMs
      return { target: name, inputs: done, refused, elapsedMs, failure: { input, error } }
    }
    done += 1
    onProgress?.(done)
  }
  return { target: name, inputs: done, refused, elapsedMs: performance.now() - startMs }
}

function spread<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, items.length / count)
  return items.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step))
}

const longestMs = 20_000

async function inTime(verdict: Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It was not done after ${longestMs / 1000} s.`)), longestMs)
  })
  return Promise.race([verdict, late]).finally(() => clearTimeout(timer))
}

function bytesOf(text: string | Uint8Array): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text)
}

const commonTokens: ReadonlyArray<string | Uint8Array> = [
  '"',
  '\\',
  ';',
  ':',
  ',',
  ' ',
  '\t',
  '\r\n',
  '\n',
  '\0',
  '%00',
  '\ufeff',
  '\u00e9',
  '💳',
  '__proto__',
  '0',
  '-1',
  '9007199254740993',
  '1e400',
  'null',
  Buffer.of(0xff),
  Buffer.of(0xc3),
  Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Buffer.of(0, 0, 0, 0),
]
