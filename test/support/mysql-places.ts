import { randomUUID } from 'node:crypto'
import { createPool, type Pool } from 'mysql2/promise'

export interface MysqlPlace {
  readonly database: string
  /** Two stand for two processes. */
  readonly pools: readonly [Pool, Pool]
}

/** Databases of a server, each with pools of its own. */
export class MysqlPlaces {
  readonly #url: string
  readonly #control: Pool
  readonly #free: MysqlPlace[] = []
  readonly #made: MysqlPlace[] = []

  constructor(url: string) {
    this.#url = url
    this.#control = createPool(url)
  }

  /** Tables take longer to make than most cases take: an emptied place is given out again. */
  async take(): Promise<MysqlPlace> {
    const free = this.#free.pop()
    if (free !== undefined) return free
    const database = `hapax_${randomUUID().replaceAll('-', '')}`
    await this.#control.query(`CREATE DATABASE ${database}`)
    const url = new URL(this.#url)
    url.pathname = `/${database}`
    const open = () => createPool({ uri: url.href, connectionLimit: 4 })
    const place: MysqlPlace = { database, pools: [open(), open()] }
    this.#made.push(place)
    return place
  }

  async giveBack(place: MysqlPlace): Promise<void> {
    const [pool] = place.pools
    const [rows] = await pool.query("SHOW TABLES LIKE 'hapax_record'")
    // One case asks the store for nothing that needs them.
    if (Array.isArray(rows) && rows.length > 0) await pool.query('DELETE FROM hapax_record')
    this.#free.push(place)
  }

  async close(): Promise<void> {
    for (const { database, pools } of this.#made) {
      await Promise.all(pools.map((pool) => pool.end()))
      await this.#control.query(`DROP DATABASE ${database}`)
    }
    await this.#control.end()
  }
}
