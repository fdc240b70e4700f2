// A Worker that holds the store to its contract from inside: `/?case=` runs one case and answers what went wrong.
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

/** The class that users export, and a way to damage a record. */
export class TestRecords extends HapaxRecords {
  readonly #state: RecordsState

  constructor(state: RecordsState) {
    super(state)
    this.#state = state
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case '/tamper':
        this.#state.storage.sql.exec(
          `UPDATE hapax_record SET ${searchParams.get('set')} WHERE key = ?`,
          searchParams.get('key') ?? '',
        )
        return new Response()
      case '/rows':
        return Response.json(
          this.#state.storage.sql.exec('SELECT count(*) AS count FROM hapax_record').toArray(),
        )
      default:
        return super.fetch(request)
    }
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const wanted = new URL(request.url).searchParams.get('case') ?? ''
    const run = casesOver(env.HAPAX).get(wanted)
    if (run === undefined) return new Response(`There is no case ${wanted}.`)
    try {
      await run()
      return new Response('passed')
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error))
    }
  },
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
  for (let index = 1; index <= objects; index += 1) {
    const stub = namespace.get(namespace.idFromName(`hapax ${index} of ${objects}`))
    const query = new URLSearchParams({ key: keyOf(id), set })
    const reply = await stub.fetch(`https://hapax/tamper?${query}`, {
      method: 'POST',
      body: new Uint8Array(),
    })
    await reply.arrayBuffer()
  }
}
