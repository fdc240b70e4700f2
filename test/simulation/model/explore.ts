// A breadth-first search, so that the first broken state it meets has the shortest story.

export interface Step<State> {
  /** A sentence for the story. */
  readonly action: string
  readonly state: State
  /** The promise that this step broke. */
  readonly broken?: string | undefined
}

export interface Space<State> {
  readonly first: State
  steps(state: State): Iterable<Step<State>>
  /** The promise that a state breaks by itself, however it was reached. */
  broken(state: State): string | undefined
  /** Equal for states that need not be told apart. */
  keyOf(state: State): string
}

export type Exploration =
  | { readonly kind: 'exhausted'; readonly states: number; readonly transitions: number }
  | {
      readonly kind: 'broken'
      readonly states: number
      readonly promise: string
      readonly story: readonly string[]
    }
  /** More states than allowed: nothing was found in those that were seen. */
  | { readonly kind: 'too-large'; readonly states: number }

interface Node<State> {
  readonly state: State
  readonly action: string
  readonly parent: Node<State> | undefined
}

export function explore<State>(space: Space<State>, maxStates: number): Exploration {
  let level: Node<State>[] = [{ state: space.first, action: '', parent: undefined }]
  const seen = new Set([space.keyOf(space.first)])
  let transitions = 0
  while (level.length > 0) {
    const next: Node<State>[] = []
    for (const node of level) {
      for (const step of space.steps(node.state)) {
        transitions += 1
        const child: Node<State> = { state: step.state, action: step.action, parent: node }
        const key = space.keyOf(step.state)
        if (step.broken === undefined && seen.has(key)) continue
        seen.add(key)
        const promise = step.broken ?? space.broken(step.state)
        if (promise !== undefined) {
          return { kind: 'broken', states: seen.size, promise, story: storyOf(child) }
        }
        next.push(child)
      }
      if (seen.size > maxStates) return { kind: 'too-large', states: seen.size }
    }
    level = next
  }
  return { kind: 'exhausted', states: seen.size, transitions }
}

function storyOf<State>(last: Node<State>): string[] {
  const story: string[] = []
  for (let node: Node<State> | undefined = last; node?.parent !== undefined; node = node.parent) {
    story.unshift(node.action)
  }
  return story
}
