import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache'
import { createClient } from '@redis/client'
import { redisUrl } from './operation.mjs'
import { serve } from './powertools-handler.mjs'

const client = createClient({ url: redisUrl })
await client.connect()
serve(new CachePersistenceLayer({ client }))
