import type { Random } from './random.ts'

/** How long an input may become. */
const maxBytes = 8 * 1024
const mostChanges = 6
const longestPiece = 64

/** An input with some changes, of which one in ten repeats a piece many times over: what takes long shows itself. */
export function mutate(random: Random, corpus: readonly Buffer[], tokens: readonly Buffer[]): Buffer {
  let input = random.pick(corpus)
  const changes = 1 + random.below(mostChanges)
  for (let change = 0; change < changes; change += 1) {
    input = random.pick(mutations)({ input, random, corpus, tokens }).subarray(0, maxBytes)
  }
  return input
}

interface Change {
  readonly input: Buffer
  readonly random: Random
  readonly corpus: readonly Buffer[]
  readonly tokens: readonly Buffer[]
}

type Mutation = (change: Change) => Buffer

const flipBit: Mutation = ({ input, random }) => {
  if (input.length === 0) return input
  const flipped = Buffer.from(input)
  const at = random.below(input.length)
  flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8))
  return flipped
}

const changeByte: Mutation = ({ input, random }) => {
  if (input.length === 0) return input
  const changed = Buffer.from(input)
  changed[random.below(input.length)] = random.below(256)
  return changed
}

const insertByte: Mutation = ({ input, random }) =>
  replaced(input, random.below(input.length + 1), 0, Buffer.of(random.below(256)))

const insertToken: Mutation = ({ input, random, tokens }) =>
  replaced(input, random.below(input.length + 1), 0, random.pick(tokens))

const overwriteWithToken: Mutation = ({ input, random, tokens }) => {
  const token = random.pick(tokens)
  return replaced(input, random.below(input.length + 1), token.length, token)
}

const deletePiece: Mutation = ({ input, random }) => {
  const { at, length } = pieceOf(input, random)
  return replaced(input, at, length, Buffer.alloc(0))
}

const duplicatePiece: Mutation = ({ input, random }) => {
  const { at, length } = pieceOf(input, random)
  return replaced(input, at, 0, input.subarray(at, at + length))
}

const repeatPiece: Mutation = ({ input, random }) => {
  if (random.below(3) > 0) return flipBit({ input, random, corpus: [], tokens: [] })
  const { at, length } = pieceOf(input, random)
  const piece = input.subarray(at, at + length)
  if (piece.length === 0) return input
  const times = 1 + random.below(Math.ceil(maxBytes / piece.length))
  return replaced(input, at, 0, Buffer.alloc(piece.length * times, piece))
}

const splice: Mutation = ({ input, random, corpus }) => {
  const other = random.pick(corpus)
  return Buffer.concat([
    input.subarray(0, random.below(input.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ])
}

const cut: Mutation = ({ input, random }) => input.subarray(0, random.below(input.length + 1))

const mutations: readonly Mutation[] = [
  flipBit,
  changeByte,
  insertByte,
  insertToken,
  overwriteWithToken,
  deletePiece,
  duplicatePiece,
  repeatPiece,
  splice,
  cut,
]

function pieceOf(input: Buffer, random: Random): { at: number; length: number } {
  return { at: random.below(input.length + 1), length: 1 + random.below(longestPiece) }
}

function replaced(input: Buffer, at: number, length: number, by: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, at), by, input.subarray(at + length)])
}
