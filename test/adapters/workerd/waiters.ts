// A duplicate that waits in workerd, for a client outside of it: what a client inside destroys stays open for as long as its
// own request runs, so none there can leave.
import { withIdempotency } from '../../../src/adapters/fetch.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { countingStore } from '../../../src/testing/adapter/stores.ts'
import { deferred } from '../../support/deferred.ts'

/** What has been here since the start of the Worker. */
interface Place extends ReturnType<typeof countingStore> {
  readonly gate: ReturnType<typeof deferred<undefined>>
}

let place: Place | undefined

/** `/claims` says how often the store was asked, `/open` lets the first run end, all else is guarded. */
export const waiters = {
  async fetch(request: Request, _env: unknown, context: { waitUntil(work: Promise<unknown>): void }) {
    place ??= { ...countingStore(memoryStore()), gate: deferred<undefined>() }
    const { store, calls, gate } = place
    switch (new URL(request.url).pathname) {
      case '/claims':
        return new Response(String(calls.claim))
      case '/open':
        gate.resolve(undefined)
        return new Response('opened')
    }
    const handle = withIdempotency(
      async () => {
        await gate.promise
        return new Response('made', { status: 201 })
      },
      { store, scope: false, concurrent: { wait: '30s' }, waitUntil: (work) => context.waitUntil(work) },
    )
    return handle(request)
  },
}
