import { clusterHome } from './cluster.ts'
import type { Home, HomeName, HomeOptions } from './home.ts'
import { memoryHome } from './memory.ts'
import { postgresHome } from './postgres.ts'
import { redisHome } from './redis.ts'
import { sentinelHome } from './sentinel.ts'
import { sqliteHome } from './sqlite.ts'

export const homes: Readonly<Record<HomeName, (options: HomeOptions) => Promise<Home>>> = {
  memory: memoryHome,
  sqlite: sqliteHome,
  redis: redisHome,
  sentinel: sentinelHome,
  cluster: clusterHome,
  postgres: postgresHome,
}
