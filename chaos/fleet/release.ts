import { join } from 'node:path'

/** The parts of hapax that a server of the fleet runs on. */
export interface Release {
  readonly idempotency: typeof import('../../src/adapters/express.ts').idempotency
  readonly memoryStore: typeof import('../../src/index.ts').memoryStore
  readonly sqliteStore: typeof import('../../src/stores/sqlite.ts').sqliteStore
  readonly redisStore: typeof import('../../src/stores/redis.ts').redisStore
  readonly postgresStore: typeof import('../../src/stores/postgres.ts').postgresStore
}

/** These sources, or the unpacked package in `folder`. */
export async function releaseAt(folder: string | undefined): Promise<Release> {
  const [adapter, main, sqlite, redis, postgres] = await Promise.all(
    folder === undefined
      ? [
          import('../../src/adapters/express.ts'),
          import('../../src/index.ts'),
          import('../../src/stores/sqlite.ts'),
          import('../../src/stores/redis.ts'),
          import('../../src/stores/postgres.ts'),
        ]
      : ['adapters/express', 'index', 'stores/sqlite', 'stores/redis', 'stores/postgres'].map(
          (file) => import(join(folder, 'dist/esm', `${file}.js`)),
        ),
  )
  return { ...main, ...adapter, ...sqlite, ...redis, ...postgres }
}
