// Functions behind API Gateway: an HTTP API with a JWT authorizer, and a REST API. Records and orders are in Redis.
import type {
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2WithJWTAuthorizer,
  APIGatewayProxyHandler,
  APIGatewayProxyHandlerV2WithJWTAuthorizer,
} from 'aws-lambda'
import { idempotency, withIdempotency } from 'hapax/lambda'
import { redisStore } from 'hapax/redis'
import { Redis } from 'ioredis'

// Outside of the handlers: made once for each copy of the function, and kept while it is warm.
const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const store = redisStore(redis)

const once = idempotency<APIGatewayProxyEventV2WithJWTAuthorizer>({
  store,
  required: true,
  scope: (event) => String(event.requestContext.authorizer.jwt.claims['sub']),
})

export const httpApi: APIGatewayProxyHandlerV2WithJWTAuthorizer = once(async (event) => {
  const { item } = JSON.parse(event.body ?? '{}') as { item?: string }
  return { statusCode: 201, body: JSON.stringify(await createOrder(item)) }
})

export const restApi: APIGatewayProxyHandler = withIdempotency(
  async (event: APIGatewayProxyEvent) => {
    const { item } = JSON.parse(event.body ?? '{}') as { item?: string }
    return { statusCode: 201, body: JSON.stringify(await createOrder(item)) }
  },
  { store, scope: (event) => event.requestContext.authorizer?.['principalId'] as string | undefined },
)

async function createOrder(item = 'book') {
  return { id: crypto.randomUUID(), number: await redis.incr('orders'), item }
}
