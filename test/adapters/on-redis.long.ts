import { contractOnRedis } from '../support/adapters/on-redis.ts'

await contractOnRedis()
