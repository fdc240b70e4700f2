import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { idempotency, type NodeOptions } from '../../src/adapters/node.ts'
import { listen } from '../support/adapters/serve.ts'
import { collectingLogger } from '../support/logger.ts'
import { exchange, headerOf, jsonOf, linesOf, type RawAnswer } from '../support/raw-http.ts'

const guard = (options: Partial<NodeOptions> = {}) => idempotency({ scope: false, ...options })

async function serve(...[listener]: Parameters<typeof listen>): Promise<{ port: number }> {
  const server = await listen(listener)
  onTestFinished(() => server.close())
  return server
}

function post(server: { port: number }, body = 'x'): Promise<RawAnswer> {
  return exchange(server.port, { headers: [['Idempotency-Key', 'k1']], body })
}

it('guards several handlers with one key space', async () => {
  const once = guard()
  const [a, b] = [once((_req, res) => res.end('a')), once((_req, res) => res.end('b'))]
  const server = await serve((req, res) => void (req.url === '/a' ? a : b)(req, res))
  const to = (target: string) =>
    exchange(server.port, { target, headers: [['Idempotency-Key', 'k1']], body: 'x' })
  expect((await to('/a')).body.toString()).toBe('a')
  expect((await to('/b')).status).toBe(422)
  expect((await to('/a')).body.toString()).toBe('a')
})

it('rejects with what the handler threw, and records what its caller answers', async () => {
  const thrown: unknown[] = []
  const guarded = guard()(() => {
    throw new Error('after the charge')
  })
  const server = await serve((req, res) => {
    guarded(req, res).catch((error: Error) => {
      thrown.push(error.message)
      res.writeHead(500).end('sorry')
    })
  })
  for (let turn = 0; turn < 2; turn += 1) {
    const answer = await post(server)
    expect([answer.status, answer.body.toString()]).toEqual([500, 'sorry'])
  }
  expect(thrown).toEqual(['after the charge'])
})

it('adds its headers where a layer further out sets none once `headersSent`, as Next’s do', async () => {
  const guarded = guard()((_req, res) => res.end('ok'))
  const server = await serve((req, res) => {
    const { setHeader } = res
    res.setHeader = function setUnlessSent(name, value) {
      return this.headersSent ? this : setHeader.call(this, name, value)
    }
    void guarded(req, res)
  })
  for (let turn = 0; turn < 2; turn += 1) {
    const answer = await post(server)
    expect(linesOf(answer, 'Idempotency-Expires')).toHaveLength(1)
    expect(headerOf(answer, 'Content-Length')).toBe('2')
  }
})

it('takes the value that a parser left before it, as in Next’s pages API', async () => {
  let runs = 0
  const guarded = guard()((_req, res) => {
    runs += 1
    res.end('ok')
  })
  const parse = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    Object.assign(req, { body: await json(req) })
    await guarded(req, res)
  }
  const server = await serve((req, res) => void parse(req, res))
  const send = (body: string) => exchange(server.port, { headers: [['Idempotency-Key', 'k1']], body })
  for (const body of ['{"a":1,"b":2}', '{ "b": 2, "a": 1 }']) expect((await send(body)).status).toBe(200)
  expect((await send('{"a":2}')).status).toBe(422)
  expect(runs).toBe(1)
})

it('answers with `respond`', async () => {
  const once = guard({
    required: true,
    respond(problem, _request, response) {
      response.statusCode = problem.status
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify({ error: problem.code }))
    },
  })
  const guarded = once((_req, res) => res.end('never'))
  const server = await serve((req, res) => void guarded(req, res))
  const answer = await exchange(server.port, { body: 'x' })
  expect([answer.status, jsonOf(answer)]).toEqual([400, { error: 'missing-key' }])
})

it('warns once when one guarded handler calls another, or the answer has begun', async () => {
  const { logger, warnings } = collectingLogger()
  const inner = guard({ logger })((_req, res) => res.end('ok'))
  const twice = guard({ logger })((req, res) => inner(req, res))
  const server = await serve((req, res) => void twice(req, res))
  await post(server)
  expect(warnings).toEqual([expect.stringContaining('mounted-twice')])
  const begun = await serve((req, res) => {
    res.write('begun ')
    void inner(req, res)
  })
  const answer = await post(begun)
  expect([answer.body.toString(), linesOf(answer, 'Idempotency-Expires')]).toEqual(['begun ok', []])
  expect(warnings[1]).toMatch(/response-began/)
})

it('runs functions and closes', async () => {
  const once = guard()
  const order = () => once.run({ key: 'k1', scope: 'jobs', payload: 1 }, () => 'done')
  expect([await order(), await order()]).toEqual(['done', 'done'])
  const guarded = once((_req, res) => res.end('ok'))
  const server = await serve((req, res) => void guarded(req, res))
  await once.close()
  const refused = await post(server)
  expect([refused.status, headerOf(refused, 'Retry-After')]).toEqual([503, '1'])
})
