/** What is measured side by side in one run, each in a server of its own. */
export interface Variant {
  readonly name: string
  readonly handler: Handler
  readonly traffic: Traffic
  /** The name of the variant that does the same bare work without hapax. */
  readonly floor: string
}

/** A store: hapax with it in front of the handler. The others: no hapax, and so many bare Redis commands. */
export type Handler = 'bare' | 'one-command' | 'two-commands' | 'memory' | 'sqlite' | 'redis'

/** `first`: a new key each time. `replay`: one key. `unkeyed`: no key. */
export type Traffic = 'unkeyed' | 'first' | 'replay'

const bare = 'bare Express'
const oneCommand = 'one bare Redis command'
const twoCommands = 'two bare Redis commands'

export const variants: readonly Variant[] = [
  { name: bare, handler: 'bare', traffic: 'unkeyed', floor: bare },
  { name: 'guarded, no key', handler: 'memory', traffic: 'unkeyed', floor: bare },
  { name: oneCommand, handler: 'one-command', traffic: 'first', floor: oneCommand },
  { name: twoCommands, handler: 'two-commands', traffic: 'first', floor: twoCommands },
  { name: 'Redis, first request', handler: 'redis', traffic: 'first', floor: twoCommands },
  { name: 'Redis, replay', handler: 'redis', traffic: 'replay', floor: oneCommand },
  { name: 'SQLite (FULL), first request', handler: 'sqlite', traffic: 'first', floor: bare },
  { name: 'SQLite (FULL), replay', handler: 'sqlite', traffic: 'replay', floor: bare },
  { name: 'memory, first request', handler: 'memory', traffic: 'first', floor: bare },
  { name: 'memory, replay', handler: 'memory', traffic: 'replay', floor: bare },
]
