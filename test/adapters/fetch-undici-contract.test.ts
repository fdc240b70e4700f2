// On Node's own Request and Response, which no server has replaced in this process.
import { describe, test } from 'vitest'
import { undiciServer } from '../../bench/undici.ts'
import { testAdapter } from '../../src/testing/adapter.ts'
import { honoOn } from '../support/adapters/fetch.ts'
import { fetchOn } from '../support/adapters/fetch-handler.ts'
import { listening } from '../support/adapters/serve.ts'

type Handler = Parameters<typeof undiciServer>[0]

const served = (handler: Handler) => listening(undiciServer(handler))

testAdapter({ describe, test: test.concurrent }, fetchOn("fetch on Node's own Request", served))
testAdapter({ describe, test: test.concurrent }, honoOn("Hono 4 on Node's own Request", served))
