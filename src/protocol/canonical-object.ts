/** How deep arrays and objects may be nested. */
export const maxDepth = 1000

/**
 * The canonical text of an object, or undefined when a name occurs twice.
 *
 * Pieces are added to a string, not joined: JavaScript builds such a string lazily, while a join at each of
 * 1,000 levels would copy a deep document 1,000 times.
 */
export function objectOf(members: Member[]): string | undefined {
  sortByName(members)
  let text = ''
  let previous: string | undefined
  for (const member of members) {
    if (member.name === previous) return undefined
    text += previous === undefined ? `{${member.text}` : `,${member.text}`
    previous = member.name
  }
  return text === '' ? '{}' : `${text}}`
}

/** The canonical text of one member (`"name":value`), beside the name that it is sorted by. */
export type Member = { name: string; text: string }

// Array.sort is slow to start, and most objects are small.
function sortByName(members: Member[]): void {
  if (members.length > 16) {
    members.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    return
  }
  for (const [index, member] of members.entries()) {
    let hole = index
    for (; hole > 0; hole -= 1) {
      const previous = members[hole - 1]
      if (previous === undefined || previous.name <= member.name) break
      members[hole] = previous
    }
    members[hole] = member
  }
}

/** What objects with the same names in the same order have in common. */
export type Shape = {
  /** As string literals, in the order of the text. */
  readonly names: readonly string[]
  /** Which of them comes first in the canonical text, and so on. */
  readonly order: readonly number[]
}

/** Undefined when a name occurs twice. */
export function shapeOf(literals: readonly string[]): Shape | undefined {
  const members = literals.map((literal, index): Member & { index: number } => ({
    name: nameOf(literal),
    text: '',
    index,
  }))
  sortByName(members)
  const isTwice = members.some(({ name }, index) => name === members[index + 1]?.name)
  return isTwice ? undefined : { names: literals, order: members.map(({ index }) => index) }
}

/** The canonical text of an object of this shape, from the canonical texts of its values. */
export function objectLike({ names, order }: Shape, values: readonly string[]): string {
  let text = ''
  for (const index of order) text += `${text === '' ? '{' : ','}${names[index]}:${values[index]}`
  return `${text}}`
}

function nameOf(literal: string): string {
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1)
}
