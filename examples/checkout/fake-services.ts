// Stands in for a payment provider and a mail service, with idempotency of their own:
// `node examples/checkout/fake-services.ts 4000`. GET /charges and GET /mails list what was done.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

interface Done {
  readonly id: string
}

export function fakeServices(): Server {
  const done = new Map([
    ['/charges', new Map<string, Done>()],
    ['/mails', new Map<string, Done>()],
  ])
  return createServer((request, response) => {
    const kind = done.get(request.url ?? '')
    if (kind === undefined) response.writeHead(404).end()
    else if (request.method === 'GET') response.end(JSON.stringify([...kind.values()]))
    else void take(kind, request, response)
  })
}

async function take(
  kind: Map<string, Done>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const key = String(request.headers['idempotency-key'])
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const first = kind.get(key) ?? { id: randomUUID(), ...JSON.parse(Buffer.concat(chunks).toString()) }
  kind.set(key, first)
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(first))
}

if (import.meta.main) fakeServices().listen(Number(process.argv[2] ?? 4000), '127.0.0.1')
