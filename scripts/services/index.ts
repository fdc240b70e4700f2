// Real servers for tests, benchmarks and the command `node scripts/services.ts`.
export { type MariaDbServer, startMariaDb } from './mariadb.ts'
export { type OwnPostgresServer, type PostgresServer, startOwnPostgres, startPostgres } from './postgres.ts'
export { ServiceMissing } from './programs.ts'
export { type OwnRedisServer, type RedisServer, startOwnRedis, startRedis } from './redis.ts'
export { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
export { type RedisSentinel, startRedisSentinel } from './redis-sentinel.ts'
export { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
