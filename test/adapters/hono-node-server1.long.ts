// @hono/node-server 1.x puts a Request and a Response of its own in place of Node's, in the whole process.
import { serve } from 'hono-node-server1'
import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { honoOn, servedBy } from '../support/adapters/fetch.ts'
import { fetchOn } from '../support/adapters/fetch-handler.ts'

testAdapter({ describe, test: test.concurrent }, honoOn('Hono 4 on @hono/node-server 1', servedBy(serve)))
testAdapter({ describe, test: test.concurrent }, fetchOn('fetch on @hono/node-server 1', servedBy(serve)))
