import { createServer, type IncomingMessage, Server, type ServerResponse } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { CannotTest } from '../checker/cannot-test.ts'
import type { CaseResult, Profile } from '../checker/model.ts'
import { failureText } from '../checker/report/text.ts'
import { type CheckOptions, type CheckReport, runCheck } from '../checker/run.ts'

/** A `(req, res)` handler: a plain function, or an Express, Connect or similar application. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => unknown

/** The request to repeat: the operation that must have one effect. */
export type ConformanceRequest = {
  /** Path and query, such as `/orders`. Taken from the URL when a URL is given. */
  readonly path?: string
  /** Default `POST`. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** A string or bytes as they are, anything else as JSON; `{{uuid}}` and `{{marker}}` are filled in. */
  readonly body?: unknown
}

export type ConformanceOptions = Partial<
  Omit<CheckOptions, 'url' | 'method' | 'headers' | 'data' | 'profile'>
> & {
  /** Default `safety`. */
  readonly profile?: Profile
  /** Warnings and inconclusive rows fail as well. Default `false`. */
  readonly strict?: boolean
}

/** Some rows failed. The message says which, what was sent, what came back, and what was expected. */
export class NotIdempotent extends Error {
  readonly report: CheckReport
  readonly failures: readonly CaseResult[]

  constructor(report: CheckReport, failures: readonly CaseResult[]) {
    super(message(report, failures))
    this.name = 'NotIdempotent'
    this.report = report
    this.failures = failures
  }
}

/**
 * Checks that an operation keeps its idempotency promise, inside your own tests: the rows of `hapax check`
 * against your application. Works in vitest, jest and node:test, since all it does is throw.
 *
 * @param app a URL, a `node:http` server (listening or not), or a `(req, res)` handler such as an Express app;
 * a server that was not listening listens on a free port of 127.0.0.1 while the check runs
 * @param request the operation; it is really run, many times
 * @param options as for `hapax check`: `witness`, `probe`, `slow`, `secondTenant`, `only`, `maxEffects`, …
 * @returns the report, for a look at `report.card`
 * @throws NotIdempotent with the failing rows as its message; Error when nothing can be tested
 *
 * @example
 * ```ts
 * test('orders are placed once', async () => {
 *   await expectIdempotent(app, { path: '/orders', body: { product: 'p1', quantity: 1 } })
 * }, 60_000)
 * ```
 */
export async function expectIdempotent(
  app: string | URL | Server | TlsServer | RequestHandler,
  request: ConformanceRequest = {},
  options: ConformanceOptions = {},
): Promise<CheckReport> {
  const { strict = false, ...rest } = options
  const place = await reach(app)
  try {
    const report = await runCheck({
      profile: 'safety',
      maxEffects: 1000,
      ...rest,
      ...requestOptions(place.url, request),
    })
    const failures = report.results.filter((result) => isFailure(result, strict))
    if (failures.length > 0) throw new NotIdempotent(report, failures)
    if (!report.results.some(({ case: one, verdict }) => one.level !== 'METHOD' && isJudged(verdict))) {
      throw new CannotTest('No row could be judged, so the test shows nothing.')
    }
    return report
  } finally {
    await place.leave()
  }
}

type Place = { readonly url: URL; leave(): Promise<void> }

async function reach(app: string | URL | Server | TlsServer | RequestHandler): Promise<Place> {
  if (typeof app === 'string' || app instanceof URL)
    return { url: new URL(app), leave: () => Promise.resolve() }
  const server = isServer(app) ? app : createServer((request, response) => void app(request, response))
  const ours = !server.listening
  if (ours) await listen(server)
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new CannotTest('The server does not listen on a TCP port.')
  return {
    url: new URL(`${isTls(server) ? 'https' : 'http'}://${hostOf(address)}:${address.port}`),
    leave: () => (ours ? close(server) : Promise.resolve()),
  }
}

function requestOptions(
  base: URL,
  request: ConformanceRequest,
): Pick<CheckOptions, 'url' | 'method' | 'headers' | 'data'> {
  const { body, headers, method, path } = request
  const data =
    body === undefined || typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body)
  return {
    url: (path === undefined ? base : new URL(path, base)).href,
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined
      ? {}
      : { headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`) }),
    ...(data === undefined ? {} : { data }),
  }
}

function isServer(app: Server | TlsServer | RequestHandler): app is Server | TlsServer {
  return app instanceof Server || (typeof app === 'object' && 'listen' in app)
}

function isTls(server: Server | TlsServer): boolean {
  return 'setSecureContext' in server
}

function hostOf(address: AddressInfo): string {
  if (address.address === '::' || address.address === '0.0.0.0') return '127.0.0.1'
  return address.family === 'IPv6' ? `[${address.address}]` : address.address
}

function listen(server: Server | TlsServer): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve())
  })
}

function close(server: Server | TlsServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function isFailure({ verdict }: CaseResult, strict: boolean): boolean {
  return verdict === 'fail' || (strict && (verdict === 'warn' || verdict === 'inconclusive'))
}

function isJudged(verdict: CaseResult['verdict']): boolean {
  return verdict !== 'inconclusive' && verdict !== 'skipped'
}

function message(report: CheckReport, failures: readonly CaseResult[]): string {
  const many =
    failures.length === 1
      ? 'One row of the conformance list fails'
      : `${failures.length} rows of the conformance list fail`
  return `${many}:\n\n${failures.map((result) => failureText(report, result)).join('\n\n')}`
}
