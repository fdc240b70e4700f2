import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import express4 from 'express4'
import { onTestFinished } from 'vitest'
import { type ExpressOptions, idempotency } from '../../src/adapters/express.ts'

export interface ExpressVersion {
  readonly name: string
  readonly express: typeof express
}

/** The two versions that one adapter serves. */
export const expressVersions: readonly ExpressVersion[] = [
  { name: 'Express 4', express: express4 },
  { name: 'Express 5', express },
]

export interface RunningServer {
  readonly port: number
  /** Stops listening and resolves when the last connection has closed by itself. */
  drained(): Promise<void>
}

/** Serves `listener` on a free loopback port until the test is over. */
export async function serve(listener: RequestListener): Promise<RunningServer> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const drained = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  // The server listens on TCP, so its address is an object.
  return { port: (server.address() as AddressInfo).port, drained }
}

export type NodeHandler = (req: Request, res: Response, next: NextFunction) => void | Promise<void>

/** Serves one handler for every method and path, behind hapax. */
export function serveGuarded(
  { express: create }: ExpressVersion,
  handler: NodeHandler,
  options: Partial<ExpressOptions<Request>> = {},
): Promise<RunningServer> {
  return serveBare({ express: create }, handler, idempotency<Request>({ scope: false, ...options }))
}

/** Serves one handler for every method and path, behind other middleware or none. */
export function serveBare(
  { express: create }: Pick<ExpressVersion, 'express'>,
  handler: NodeHandler,
  ...before: RequestHandler[]
): Promise<RunningServer> {
  const app = create()
  // The default error handler logs but in this environment.
  app.set('env', 'test')
  for (const middleware of before) app.use(middleware)
  app.use((req, res, next) => {
    // Express 4 leaves a rejection to the handler.
    Promise.resolve()
      .then(() => handler(req, res, next))
      .catch(next)
  })
  return serve(app)
}
