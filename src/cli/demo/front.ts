import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { passOn, readRequest, send } from './forward.ts'
import { LiveView } from './live-view.ts'
import { servePage } from './page/serve-page.ts'
import { demoHeaders, type Fault } from './shop/settings.ts'
import type { Shopfront } from './shopfront.ts'

/** What listens on the demo's port: the page, its live view, and the way to the two shops. */
export interface Front {
  readonly server: Server
  close(): void
}

export function createFront(shopfronts: readonly Shopfront[], store: string): Front {
  const view = new LiveView(shopfronts, store)
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '/'
    // On a connection that was used before, Chromium sends a POST again by itself when no answer comes, and
    // tells nobody: the page could not show what happened.
    response.setHeader('Connection', 'close')
    const shopfront = shopfronts.find((candidate) => candidate.path === path)
    if (shopfront !== undefined) {
      toShop(shopfront, request, response).catch(() => response.destroy())
      return
    }
    if (path === '/events') return view.add(response)
    if (!servePage(path, response)) answerProblem(response, 404, `There is no page ${path}.`)
  })
  return {
    server,
    close() {
      view.close()
      server.close()
      server.closeAllConnections()
    },
  }
}

async function toShop(
  { shop }: Shopfront,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const asked = await readRequest(request)
  if (shop.state.kind !== 'up') {
    response.setHeader('Retry-After', '1')
    return answerProblem(response, 503, 'The shop is starting.')
  }
  // A shop that dies on the way rejects this: the client's connection breaks too, as it would without a proxy.
  const answer = await send(shop.state.port, asked, { asker: response })
  if (answer.status === 201 && hasFault(request, 'answer-lost')) response.destroy()
  else passOn(response, answer)
}

function hasFault({ headers }: IncomingMessage, fault: Fault): boolean {
  return headers[demoHeaders.fault]?.includes(fault) ?? false
}

function answerProblem(response: ServerResponse, status: number, title: string): void {
  response.writeHead(status, { 'Content-Type': 'application/problem+json' })
  response.end(JSON.stringify({ status, title }))
}
