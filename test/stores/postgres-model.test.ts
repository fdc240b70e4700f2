// The statements against the pure rules: the same random verbs on both must give the same results and records.
import { randomUUID } from 'node:crypto'
import { afterAll, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import type { Store } from '../../src/core/store.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { requestFor } from './requests.ts'
import { anyVerbs, assertFollowsRules, verbsAfterForgetting } from '../support/store-model.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool, schema } = placeOf(server.url)
  const store = postgresStore(pool, { schema, silence: ['postgres-forgets'] })
  afterAll(() => store.close())
  const modelled = { store, keepsTokens: true }
  test('random verbs do to Postgres what the rules say', async () => {
    await assertFollowsRules(modelled, anyVerbs(), 250)
  })
  test('the same verbs do the same, each in one statement with others', async () => {
    await assertFollowsRules({ ...modelled, store: amongOthers(store) }, anyVerbs(), 150)
  })
  test('random verbs on a store that forgot later claims do what the rules say', async () => {
    await assertFollowsRules(modelled, verbsAfterForgetting(), 250)
  })
}

/** One goes alone, and what comes beside it goes together. */
function amongOthers(store: Store): Store {
  const besides = <T>(send: () => Promise<unknown>, chosen: () => Promise<T>) => {
    const [first, second] = [send(), send()]
    const sent = chosen()
    return Promise.all([sent, first, second]).then(([result]) => result)
  }
  const nobody = () => ({ ...requestFor(randomUUID()), token: 1, attempt: 1, takeover: false })
  const verbs: Partial<Store> = {
    claim: (request) =>
      besides(
        () => store.claim(nobody()),
        () => store.claim(request),
      ),
    complete: (lease, outcome) =>
      besides(
        () => store.complete(nobody(), outcome),
        () => store.complete(lease, outcome),
      ),
  }
  return new Proxy(store, {
    get: (target, name) => {
      const own: unknown = Reflect.get(verbs, name) ?? Reflect.get(target, name)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
}
