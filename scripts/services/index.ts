// Real servers for tests, benchmarks and the command `node scripts/services.ts`.
export { startChromium } from './chromium.ts'
export { ServiceMissing } from './programs.ts'
export { type OwnRedisServer, type RedisServer, startOwnRedis, startRedis } from './redis.ts'
export { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
export { type RedisSentinel, startRedisSentinel } from './redis-sentinel.ts'
export { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
