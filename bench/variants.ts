/** What is measured side by side in one run, each in a server of its own. */
export interface Variant {
  readonly name: string
  readonly group: Group
  readonly server: Program
  readonly traffic: Traffic
  /** The name of the variant that does the same bare work without hapax, or of hapax where others are measured. */
  readonly floor: string
}

export type Group = 'stores' | 'frameworks' | 'peers' | 'embedded'

export type Program =
  | { readonly kind: 'ours'; readonly framework: Framework; readonly work: Work }
  /** A server of `bench/peers/servers`. */
  | { readonly kind: 'peer'; readonly name: string }

export type Framework = 'express' | 'fastify' | 'hono' | 'fetch' | 'fetch on undici' | 'node'

/** A store: hapax with it in front of the handler. The others: no hapax, and so many bare commands of a client. */
export type Work =
  | 'bare'
  | 'one Redis command'
  | 'two Redis commands'
  | 'one Postgres query'
  | 'two Postgres queries'
  | 'memory'
  | 'sqlite'
  | 'redis'
  | 'postgres'

/** `first`: a new key each time. `replay`: one key. `unkeyed`: no key. */
export type Traffic = 'unkeyed' | 'first' | 'replay'

const bare = 'bare Express'

/** In this version of its Redis layer every repeat is refused: docs/peers.md. */
const refusesRepeats = new Set(['powertools-redis'])

export const variants: readonly Variant[] = [
  floor(bare, 'bare', 'unkeyed'),
  guarded('guarded, no key', 'memory', 'unkeyed', bare),
  floor('one bare Redis command', 'one Redis command', 'first'),
  floor('two bare Redis commands', 'two Redis commands', 'first'),
  guarded('Redis, first request', 'redis', 'first', 'two bare Redis commands'),
  guarded('Redis, replay', 'redis', 'replay', 'one bare Redis command'),
  floor('one bare Postgres query', 'one Postgres query', 'first'),
  floor('two bare Postgres queries', 'two Postgres queries', 'first'),
  guarded('Postgres, first request', 'postgres', 'first', 'two bare Postgres queries'),
  guarded('Postgres, replay', 'postgres', 'replay', 'one bare Postgres query'),
  guarded('SQLite (FULL), first request', 'sqlite', 'first', bare),
  guarded('SQLite (FULL), replay', 'sqlite', 'replay', bare),
  guarded('memory, first request', 'memory', 'first', bare),
  guarded('memory, replay', 'memory', 'replay', bare),
  ...(['express', 'fastify', 'hono', 'fetch', 'fetch on undici', 'node'] as const).flatMap(ofFramework),
  ...['hapax', 'blog', 'express-idempotency', 'node-idempotency-nest', 'powertools-redis'].flatMap(ofPeer),
  { ...guarded('Redis, first request', 'redis', 'first', 'Redis, first request'), group: 'embedded' },
  {
    ...guarded('SQLite (FULL), first request', 'sqlite', 'first', 'Redis, first request'),
    group: 'embedded',
  },
]

function floor(name: string, work: Work, traffic: Traffic): Variant {
  return { name, group: 'stores', server: { kind: 'ours', framework: 'express', work }, traffic, floor: name }
}

function guarded(name: string, work: Work, traffic: Traffic, floorName: string): Variant {
  return { ...floor(name, work, traffic), floor: floorName }
}

function ofFramework(framework: Framework): Variant[] {
  const name = `bare ${framework}`
  const common = { group: 'frameworks', floor: name } as const
  const server = (work: Work): Program => ({ kind: 'ours', framework, work })
  return [
    { ...common, name, server: server('bare'), traffic: 'unkeyed' },
    { ...common, name: `${framework}, no key`, server: server('memory'), traffic: 'unkeyed' },
    { ...common, name: `${framework}, first request`, server: server('memory'), traffic: 'first' },
    { ...common, name: `${framework}, replay`, server: server('memory'), traffic: 'replay' },
  ]
}

/** All on Redis, with the handler of `bench/peers`. */
function ofPeer(name: string): Variant[] {
  const server: Program = { kind: 'peer', name }
  const both: Variant[] = [
    {
      name: `${name}, first request`,
      group: 'peers',
      server,
      traffic: 'first',
      floor: 'hapax, first request',
    },
    { name: `${name}, replay`, group: 'peers', server, traffic: 'replay', floor: 'hapax, replay' },
  ]
  return both.filter(({ traffic }) => traffic === 'first' || !refusesRepeats.has(name))
}
