// The scripts against the pure rules: the same random verbs on both must give the same results and records.
import { afterAll, test } from 'vitest'
import { startRedis } from '../../scripts/services/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { controlOf } from '../support/redis-connections.ts'
import { servers } from '../support/servers.ts'
import { anyVerbs, assertFollowsRules, verbsAfterForgetting } from '../support/store-model.ts'

const server = await servers(() => startRedis())
if (server !== undefined) {
  const control = controlOf(server.url)
  afterAll(() => server.stop())
  const store = redisStore(control, { prefix: 'model:', silence: ['redis-not-persistent'] })
  // Redis deletes what has expired, and its token with it.
  const modelled = { store, keepsTokens: false }
  test('random verbs do to Redis what the rules say', async () => {
    await assertFollowsRules(modelled, anyVerbs(), 400)
  })
  test('random verbs on a store that forgot later claims do what the rules say', async () => {
    await assertFollowsRules(modelled, verbsAfterForgetting(), 400)
  })
}
