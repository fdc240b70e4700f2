// examples/workers in workerd, the runtime of Cloudflare, with records and orders in a real Postgres.
import { Client } from 'pg'
import { afterAll, expect, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'
import { installExample, order } from './installed.ts'

const hapax = 'node_modules/hapax/dist/esm/cli/main.js'

const postgres = await servers(() => startPostgres())
afterAll(() => postgres?.stop())

test.skipIf(postgres === undefined)(
  'a Worker answers a retry with the first answer',
  async () => {
    const url = postgres?.url ?? ''
    const example = await installExample('workers')
    await example.exec(['npm', 'run', 'build'])
    await example.exec([process.execPath, hapax, 'migrate', '--store', url])
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query('CREATE TABLE orders (id uuid PRIMARY KEY, item text)')
    await client.end()

    const env = { DATABASE_URL: url, PORT: '0' }
    const start = async () => {
      const worker = await example.start(['serve.js'], env, /Listening on \S+\n/)
      return { ...worker, url: /http:\S+?(?=\/?\n)/.exec(worker.output())?.[0] ?? '' }
    }
    const worker = await start()
    const effects = async (at: string) => (await fetch(`${at}/effects`)).json()

    const first = await order(`${worker.url}/api/orders`, 'k1')
    expect(first).toMatchObject({ status: 201, replayed: null, expires: true })
    expect(await order(`${worker.url}/api/orders`, 'k1')).toEqual({ ...first, replayed: 'true' })
    expect(await order(`${worker.url}/api/orders`, 'k1', 'another book')).toMatchObject({ status: 422 })
    expect(await effects(worker.url)).toEqual({ count: 1 })

    const many = await Promise.all(Array.from({ length: 20 }, () => order(`${worker.url}/api/orders`, 'k2')))
    expect(many.filter(({ status }) => status !== 201 && status !== 409)).toEqual([])
    expect(new Set(many.filter(({ status }) => status === 201).map(({ body }) => body)).size).toBe(1)
    expect(await effects(worker.url)).toEqual({ count: 2 })

    // FID-02 takes ten seconds, and tells of the store.
    const target = [`${worker.url}/api/orders`, '--data', '{"item":"{{marker}}"}', '--witness', '/id']
    const probe = `${worker.url}/effects?item={{marker}}#/count`
    await example.exec([process.execPath, hapax, 'check', ...target, '--probe', probe, '--skip', 'FID-02'])

    const before = await effects(worker.url)
    await worker.kill()
    const next = await start()
    expect(await order(`${next.url}/api/orders`, 'k1')).toEqual({ ...first, replayed: 'true' })
    expect(await effects(next.url)).toEqual(before)
  },
  180_000,
)
