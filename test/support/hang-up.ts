import { setTimeout as sleep } from 'node:timers/promises'
import type { Request, Response } from 'express'
import type { ExpressOptions } from '../../src/adapters/express.ts'
import { deferred, eventually } from './deferred.ts'
import { type ExpressVersion, type RunningServer, serveGuarded } from './express.ts'
import { exchange, jsonOf, RawConnection, type RawAnswer } from './raw-http.ts'

export const keyed = { headers: [['Idempotency-Key', 'k1']] as const, body: 'x' }

type Outcome = { kind: 'returned' } | { kind: 'threw'; error: unknown }

/** Runs `handler` for a client that reads nothing and hangs up once the answer has begun. */
export async function hungUpOn(
  version: ExpressVersion,
  handler: (req: Request, res: Response) => unknown,
  options: Partial<ExpressOptions<Request>> = {},
  onGone: () => void = () => {},
): Promise<{ run: ReturnType<typeof deferred<Outcome>>; server: RunningServer; runs: () => number }> {
  const run = deferred<Outcome>()
  let runs = 0
  const server = await serveGuarded(
    version,
    async (req, res) => {
      runs += 1
      try {
        await handler(req, res)
        run.resolve({ kind: 'returned' })
      } catch (error) {
        run.resolve({ kind: 'threw', error })
        throw error
      }
    },
    { maxResponseBytes: 64 * 1024 * 1024, ...options },
  )
  const connection = await RawConnection.open(server.port)
  connection.send(keyed)
  await connection.until('the head', (received) => (received.includes('\r\n\r\n') ? true : undefined))
  connection.pause()
  await sleep(40)
  connection.reset()
  await sleep(20)
  onGone()
  return { run, server, runs: () => runs }
}

/** Retries as a client does, until the key is no longer in progress. */
export async function retry(server: RunningServer): Promise<RawAnswer> {
  let answer = await exchange(server.port, keyed)
  await eventually('the run to end', async () => {
    const inProgress = answer.status === 409 && jsonOf(answer)['code'] === 'in-progress'
    if (inProgress) answer = await exchange(server.port, keyed)
    return !inProgress
  })
  return answer
}
