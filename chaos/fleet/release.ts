import { join } from 'node:path'
import type { idempotency } from '../../src/adapters/express.ts'
import type { memoryStore } from '../../src/index.ts'
import type { postgresStore } from '../../src/stores/postgres.ts'
import type { redisStore } from '../../src/stores/redis.ts'
import type { sqliteStore } from '../../src/stores/sqlite.ts'

/** The parts of hapax that a server of the fleet runs on. */
export interface Release {
  readonly idempotency: typeof idempotency
  readonly memoryStore: typeof memoryStore
  readonly sqliteStore: typeof sqliteStore
  readonly redisStore: typeof redisStore
  readonly postgresStore: typeof postgresStore
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
