// A Worker that holds the store to its contract from inside: `/?case=` runs one case and answers what went wrong.
// `/orders` is a guarded route, and `/object` the way to one object for tests that run elsewhere.
import { setTimeout as sleep } from 'node:timers/promises'
import { withIdempotency } from '../../../src/adapters/fetch.ts'
import { keyOf } from '../../../src/stores/encoding/key.ts'
import {
  durableObjectStore,
  HapaxRecords,
  type RecordsNamespace,
  type RecordsState,
} from '../../../src/stores/durable-objects.ts'
import { testStore } from '../../../src/testing/store.ts'
import { traits } from './places.ts'

interface Env {
  readonly HAPAX: RecordsNamespace
}

/** Few, so that the records of one case share objects. */
const objects = 3

/** The class that users export, and ways to look into it and to damage a record. */
export class TestRecords extends HapaxRecords {
  readonly #state: RecordsState

  constructor(state: RecordsState) {
    super(state)
    this.#state = state
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case '/sql':
        return Response.json(
          this.#state.storage.sql
            .exec(searchParams.get('query') ?? '', ...searchParams.getAll('value'))
            .toArray(),
        )
      case '/watchers':
        return Response.json(this.#state.getWebSockets().length)
      case '/alarm':
        await this.alarm()
        return Response.json(await this.#state.storage.getAlarm())
      default:
        return super.fetch(request)
    }
  }
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case '/orders':
        return guarded(request, env, context)
      case '/object': {
        const { HAPAX } = env
        const path = searchParams.get('path') ?? ''
        const stub = HAPAX.get(HAPAX.idFromName(searchParams.get('name') ?? ''))
        const body = await request.arrayBuffer()
        // What comes back in the runtime is a Response; the store needs less of it.
        return (await stub.fetch(`https://hapax/${path}`, { method: 'POST', body })) as unknown as Response
      }
      default:
        return new Response(await outcomeOf(casesOver(env.HAPAX).get(searchParams.get('case') ?? '')))
    }
  },
}

let runs = 0

/** A guard for each request: what one request has opened, another one may not use. */
async function guarded(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  const handle = withIdempotency(
    async () => {
      runs += 1
      const run = runs
      await sleep(300)
      return Response.json({ run }, { status: 201 })
    },
    {
      store: durableObjectStore(env.HAPAX),
      scope: false,
      concurrent: { wait: '10s' },
      waitUntil: (work) => context.waitUntil(work),
    },
  )
  const response = await handle(request)
  context.waitUntil(handle.close())
  return response
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

function casesOver(namespace: RecordsNamespace): ReadonlyMap<string, () => Promise<void>> {
  const cases = new Map<string, () => Promise<void>>()
  const group: string[] = []
  const describe = (name: string, body: () => void): void => {
    group.push(name)
    body()
    group.pop()
  }
  const test = (name: string, body: () => Promise<void>) => cases.set(`${group.at(-1)} > ${name}`, body)
  testStore<string>(
    { describe, test },
    {
      ...traits,
      create: () => crypto.randomUUID(),
      connect: (place) => durableObjectStore(within(namespace, place), { objects }),
      corrupt: (place, id) => tamper(within(namespace, place), id, "state = 'paused'"),
      makeNewer: (place, id) => tamper(within(namespace, place), id, 'format = 2'),
    },
  )
  return cases
}

/** Objects of its own for each case. */
function within(namespace: RecordsNamespace, place: string): RecordsNamespace {
  return {
    idFromName: (name) => namespace.idFromName(`${place} ${name}`),
    get: (id) => namespace.get(id),
  }
}

async function tamper(namespace: RecordsNamespace, id: string, set: string): Promise<void> {
  const query = new URLSearchParams({
    query: `UPDATE hapax_record SET ${set} WHERE key = ?`,
    value: keyOf(id),
  })
  for (let index = 1; index <= objects; index += 1) {
    const stub = namespace.get(namespace.idFromName(`hapax ${index} of ${objects}`))
    const reply = await stub.fetch(`https://hapax/sql?${query.toString()}`, {
      method: 'POST',
      body: new ArrayBuffer(),
    })
    await reply.arrayBuffer()
  }
}
