// A Worker that holds hapax/fetch to its contract from inside: `/?case=…&ports=…` runs one case and answers what went
// wrong. The case's client is a request of its own; each server is an entrypoint with a port of its own.
import { type AdapterServer, testAdapter } from '../../../src/testing/adapter.ts'
import { fetchOn } from '../../support/adapters/fetch-handler.ts'
import { lacks } from './lacks.ts'

export { waiters } from './waiters.ts'

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

type Handle = (request: Request, ...context: unknown[]) => Promise<Response>

/** A server, from the start of a case to its end. */
interface Place {
  readonly handle: Handle
  readonly running: Set<Promise<unknown>>
}

const places = new Map<string, Place>()

export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url)
    // Written by workerd.long.ts.
    const given = JSON.parse(searchParams.get('ports') ?? '{}') as Record<string, number>
    const ports = new Map(Object.entries(given))
    return new Response(await outcomeOf(casesOn(ports).get(searchParams.get('case') ?? '')))
  },
}

export const A = entrypoint('A')
export const B = entrypoint('B')
export const C = entrypoint('C')
export const D = entrypoint('D')
export const E = entrypoint('E')
export const F = entrypoint('F')
export const G = entrypoint('G')
export const H = entrypoint('H')

/** Without hapax. */
export const broken = {
  fetch(): Response {
    let pulls = 0
    return new Response(
      new ReadableStream(
        {
          pull(controller) {
            pulls += 1
            if (pulls === 1) controller.enqueue(Buffer.from('begun'))
            else controller.error(new Error('broken'))
          },
        },
        { highWaterMark: 0 },
      ),
    )
  },
}

function entrypoint(name: string) {
  return {
    async fetch(request: Request, env: unknown, context: ExecutionContext): Promise<Response> {
      const place = places.get(name)
      if (place === undefined) return new Response('Nothing is served here.', { status: 404 })
      const answer = place.handle(request, env, context)
      place.running.add(answer)
      try {
        return await answer
      } finally {
        place.running.delete(answer)
      }
    },
  }
}

async function outcomeOf(run: (() => Promise<void>) | undefined): Promise<string> {
  if (run === undefined) return 'There is no such case.'
  try {
    await run()
    return 'passed'
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

function casesOn(ports: ReadonlyMap<string, number>): ReadonlyMap<string, () => Promise<void>> {
  const cases = new Map<string, () => Promise<void>>()
  let group = ''
  testAdapter(
    {
      describe(name, body) {
        group = name
        body()
      },
      test: (name, run) => cases.set(`${group} > ${name}`, run),
    },
    fetchOn(
      'fetch',
      (handle) => Promise.resolve(serveOn(ports, handle)),
      lacks,
      { waitUntil: (work, _request, _env, context) => contextOf(context).waitUntil(work) },
      (closed, _env, context) => contextOf(context).waitUntil(closed),
    ),
  )
  return cases
}

/** What the entrypoint passes on. */
function contextOf(context: unknown): ExecutionContext {
  return context as ExecutionContext
}

function serveOn(ports: ReadonlyMap<string, number>, handle: Handle): AdapterServer {
  const [name, port] = [...ports].find(([free]) => !places.has(free)) ?? []
  if (name === undefined || port === undefined) throw new Error('The case needs more servers than there are.')
  const place: Place = { handle, running: new Set() }
  places.set(name, place)
  return {
    port,
    async drained() {
      await Promise.allSettled(place.running)
    },
    close() {
      places.delete(name)
    },
  }
}
