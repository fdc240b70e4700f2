import type { Pool } from 'mysql2/promise'
import { describe, test } from 'vitest'
import { hashOf } from '../../src/stores/mysql/rows.ts'
import { type MysqlPool, mysqlStore } from '../../src/stores/mysql.ts'
import { testStore } from '../../src/testing/store.ts'
import type { MysqlPlace, MysqlPlaces } from './mysql-places.ts'

/** @param through What the store gets of a pool. */
export function mysqlContract(name: string, places: MysqlPlaces, through: (pool: Pool) => MysqlPool): void {
  let turn = 0
  // Each case has a database of its own, and most of its time is waiting for a lease to end.
  testStore<MysqlPlace>(
    { describe, test: test.concurrent },
    {
      name,
      capabilities: { shared: true, watch: true, inspect: true },
      create: () => places.take(),
      connect: ({ pools }) => {
        turn += 1
        return mysqlStore(through(pools[turn % 2 === 0 ? 0 : 1]))
      },
      destroy: (place) => places.giveBack(place),
      corrupt: async ({ pools: [pool] }, id) => {
        await pool.query("UPDATE hapax_record SET state = 'paused' WHERE id_hash = ?", [hashOf(id)])
      },
      makeNewer: async ({ pools: [pool] }, id) => {
        await pool.query('UPDATE hapax_record SET format = 2 WHERE id_hash = ?', [hashOf(id)])
      },
    },
  )
}
