import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { idempotency } from '../../../src/adapters/node.ts'
import type { AdapterAnswer, AdapterSubject } from '../../../src/testing/adapter.ts'
import { headerReader } from './header-reader.ts'
import { listen } from './serve.ts'

/** Bare node:http as the adapter contract drives it. */
export const nodeSubject: AdapterSubject = {
  name: 'node:http',
  async start(options, handler, mount) {
    const once = idempotency(headerReader(options))
    const answering = once(async (request, response) => {
      const answer = await handler({
        idempotency: request.idempotency,
        header: (name) => request.headers[name]?.toString(),
        body: () => buffer(request),
      })
      await answerWith(response, answer)
    })
    const guarded = mount?.twice
      ? idempotency(headerReader(options))((request, response) => answering(request, response))
      : answering
    return listen((request, response) => {
      if (mount?.begun) response.write('begun ')
      guarded(request, response).catch(() => {
        response.statusCode = 500
        response.end('broken')
      })
    })
  },
}

/** Answers as a handler on Node's own response would. */
async function answerWith(response: ServerResponse, answer: AdapterAnswer): Promise<void> {
  response.statusCode = answer.status
  for (const [name, value] of answer.headers ?? []) response.appendHeader(name, value)
  switch (answer.kind) {
    case 'json':
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify(answer.value))
      return
    case 'bytes':
      response.setHeader('Content-Length', answer.body.length)
      response.end(answer.body)
      return
    case 'stream':
      await pipeline(Readable.from(answer.chunks()), response)
      return
    case 'empty':
      response.end()
  }
}
