import { existsSync, readFileSync } from 'node:fs'

export interface Peer {
  /** File name in `servers/`, and what `npm run peers -- NAME` takes. */
  readonly name: string
  readonly packages: readonly string[]
  /** How it was set up, and what one should know to read its rows fairly. */
  readonly setup: string
  readonly needsDynamodb?: boolean
}

const powertools =
  'Made for Lambda functions, not for HTTP servers: `makeIdempotent` around an Express handler, `eventKeyJmesPath` on the header, `payloadValidationJmesPath` on the body. It claims nothing about the syntax of the header, and the statuses for its errors (409, 422) are ours.'

export const peers: readonly Peer[] = [
  {
    name: 'blog',
    packages: [],
    setup:
      'The middleware of many blog posts: GET the key from Redis, run the handler, SET the answer. Not a package.',
  },
  {
    name: 'express-idempotency',
    packages: ['express-idempotency', 'express-idempotency-redis-adapter'],
    setup:
      'Its README’s set-up on Express 4 with its Redis adapter; the handler asks `isHit`. It answers a reused key with 417 and keeps 2xx only, by design.',
  },
  {
    name: 'node-idempotency-nest',
    packages: ['@node-idempotency/nestjs', '@node-idempotency/storage-adapter-redis'],
    setup:
      'Its README’s set-up on Nest 10 with its Redis adapter and default options. Its Express and Fastify packages were not to be had from the registry.',
  },
  {
    name: 'powertools-dynamodb',
    packages: ['@aws-lambda-powertools/idempotency', 'dynalite'],
    needsDynamodb: true,
    setup: `${powertools} With its DynamoDB layer, on dynalite.`,
  },
  {
    name: 'powertools-redis',
    packages: ['@aws-lambda-powertools/idempotency'],
    setup: `${powertools} With its Redis layer. In this version that layer loses the hash of the payload when the operation completes, so that every repeat of a completed request is refused: [its issue 5705](https://github.com/aws-powertools/powertools-lambda-typescript/issues/5705), fixed there and not yet released. Most rows below say that.`,
  },
  {
    name: 'hapax',
    packages: [],
    setup: 'This repository, on Express 4 with the Redis store, for comparison.',
  },
]

/** `name 1.2.3` for each package, as installed. */
export function versionsOf({ packages }: Peer): string {
  return packages.map((name) => `${name} ${installedVersion(name)}`).join(', ')
}

function installedVersion(name: string): string {
  const manifest = new URL(`node_modules/${name}/package.json`, import.meta.url)
  if (!existsSync(manifest)) return '(not installed)'
  // Every package.json has a version.
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
