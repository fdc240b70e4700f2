// `npm run test:long` runs the whole contract on a later 1.x. It replaces Request and Response in the whole process.
import { serve } from 'hono-node-server1-early'
import { expect, onTestFinished, test } from 'vitest'
import { withIdempotency } from '../../src/adapters/fetch.ts'
import { servedBy } from '../support/adapters/fetch.ts'
import { exchange, headerOf, linesOf } from '../support/raw-http.ts'

test('@hono/node-server 1.19.0 sends the length of an answer and of its replay once', async () => {
  const server = await servedBy(serve)(withIdempotency(() => Response.json({ id: 7 }), { scope: false }))
  onTestFinished(() => server.close())
  for (const replayed of [[], ['true']]) {
    const answer = await exchange(server.port, { headers: [['Idempotency-Key', 'k1']], body: 'x' })
    expect(headerOf(answer, 'Content-Length')).toBe('8')
    expect(linesOf(answer, 'Idempotent-Replayed')).toEqual(replayed)
  }
})
