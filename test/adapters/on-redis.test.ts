// What depends most on a store that is not in this process. `npm run test:long` runs the whole contract on it.
import { contractOnRedis } from '../support/adapters/on-redis.ts'

await contractOnRedis(new Set(['the end of an answer', 'concurrency']))
