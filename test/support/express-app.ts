import type { Request, RequestHandler } from 'express'
import { type ExpressOptions, idempotency } from '../../src/adapters/express.ts'
import { type ExpressVersion, type RunningServer, serve } from './express.ts'
import { exchange, type RawAnswer, type RawRequest } from './raw-http.ts'

export type Lines = ReadonlyArray<readonly [string, string]>

export interface CountedApp extends RunningServer {
  runs(): number
  /** What each run found in `req.body`. */
  readonly bodies: readonly unknown[]
}

/** A server whose middleware stands in the order given, before a handler that counts its runs. */
export async function countedApp(
  { express: create }: ExpressVersion,
  ...middleware: RequestHandler[]
): Promise<CountedApp> {
  const app = create()
  // The default error handler logs but in this environment.
  app.set('env', 'test')
  const bodies: unknown[] = []
  for (const step of middleware) app.use(step)
  app.use((req, res) => {
    bodies.push(req.body)
    res.status(201).json({ run: bodies.length })
  })
  return { ...(await serve(app)), runs: () => bodies.length, bodies }
}

/** hapax for one key space. */
export function guard(options: Partial<ExpressOptions<Request>> = {}): RequestHandler {
  return idempotency<Request>({ scope: false, ...options })
}

/** One POST; with the key `k1` where the request names none, and without any for `null`. */
export function send(
  server: { readonly port: number },
  { key = 'k1', headers = [], ...request }: RawRequest & { readonly key?: string | null },
): Promise<RawAnswer> {
  const keyLines: Lines = key === null ? [] : [['Idempotency-Key', key]]
  return exchange(server.port, { ...request, headers: [...keyLines, ...headers] })
}
