/** Separates the changes of one input. */
const separator = 0x1e

export interface ColumnChange {
  readonly column: string
  readonly type: 'text' | 'number' | 'bytes' | 'null'
  readonly value: Buffer
}

const types = ['text', 'number', 'bytes', 'null'] as const

/** Changes of a row: for each one byte for the column, one for the type, and the value. */
export function changesIn(damage: Buffer, columns: readonly string[]): readonly ColumnChange[] {
  const changes = new Map<string, ColumnChange>()
  for (const piece of piecesOf(damage)) {
    const column = columns[(piece[0] ?? 0) % columns.length]
    const type = types[(piece[1] ?? 0) % types.length]
    if (column !== undefined && type !== undefined)
      changes.set(column, { column, type, value: piece.subarray(2) })
  }
  return [...changes.values()]
}

function piecesOf(damage: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  let start = 0
  for (;;) {
    const end = damage.indexOf(separator, start)
    pieces.push(damage.subarray(start, end === -1 ? damage.length : end))
    if (end === -1) return pieces
    start = end + 1
  }
}

/** For a corpus: every value in its column, on records in several situations. */
export function columnCorpus(
  columns: readonly string[],
  values: Readonly<Record<string, readonly string[]>>,
  situations: readonly number[],
): Buffer[] {
  return situations.flatMap((situation) =>
    Object.entries(values).flatMap(([column, texts]) =>
      texts.map((text) =>
        Buffer.concat([
          Buffer.of(
            situation,
            columns.indexOf(column),
            /^-?[\d.]+$/.test(text) && !column.endsWith('_text') ? 1 : 0,
          ),
          Buffer.from(text),
        ]),
      ),
    ),
  )
}
