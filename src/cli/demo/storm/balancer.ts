import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type ForwardedAnswer, passOn, readRequest, send } from '../forward.ts'
import { demoHeaders } from '../shop/settings.ts'
import type { SupervisedShop } from '../supervisor.ts'
import { countAnswer, type Tally } from './tally.ts'

/** How long a server may take before the request goes to the other one. */
const patienceMs = 400
const lastPatienceMs = 5000

/**
 * A load balancer as it should not be set up for POST, and often is: a server that breaks off or is slow gets its
 * request repeated on the other, whether or not the first one is still working on it.
 *
 * @param tallies What to count, by the path of the shop.
 */
export function createBalancer(
  shops: readonly SupervisedShop[],
  tallies: ReadonlyMap<string, Tally>,
): Server {
  let turn = 0
  const server = createServer((request, response) => {
    const tally = tallies.get(request.url ?? '')
    if (tally === undefined) return void response.writeHead(404).end()
    tally.sent += 1
    turn += 1
    balance(inTurn(shops, turn), request, response, tally).catch(() => response.destroy())
  })
  server.keepAliveTimeout = 600_000
  return server
}

async function balance(
  shops: readonly SupervisedShop[],
  request: IncomingMessage,
  response: ServerResponse,
  tally: Tally,
): Promise<void> {
  const sent = await readRequest(request)
  const ports = shops.flatMap(({ state }) => (state.kind === 'up' ? [state.port] : []))
  for (const [index, port] of ports.entries()) {
    if (index > 0) tally.resent += 1
    try {
      const isLast = index === ports.length - 1
      const answer = await send(port, sent, {
        patienceMs: isLast ? lastPatienceMs : patienceMs,
        asker: response,
      })
      countAnswer(tally, answer)
      return isLost(request, answer) ? void response.destroy() : passOn(response, answer)
    } catch {
      if (response.destroyed) return
    }
  }
  response.writeHead(502).end()
}

function inTurn<T>(items: readonly T[], turn: number): readonly T[] {
  const first = turn % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

/** The network swallows an answer that the customer should have had. */
function isLost({ headers }: IncomingMessage, { status }: ForwardedAnswer): boolean {
  return status === 201 && headers[demoHeaders.fault]?.includes('answer-lost') === true
}
