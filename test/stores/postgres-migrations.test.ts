// The tables: made by whoever comes first, by hand, or by the command; of this release, or another.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { Pool } from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { createIdempotency } from '../../src/index.ts'
import { migrations } from '../../src/stores/postgres/migrations.ts'
import { migrationScript } from '../../src/stores/postgres/migrate.ts'
import { postgresStore, type PostgresStoreOptions } from '../../src/stores/postgres.ts'
import { runCli } from '../cli/run-cli.ts'
import { pools } from '../support/postgres-clients.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { requestFor } from './requests.ts'

test('the migrations that are shipped are those of the .sql files', async () => {
  const script = fileURLToPath(new URL('../../scripts/embed-sql.ts', import.meta.url))
  await promisify(execFile)(process.execPath, [script, '--check'])
})

test.each(['', 'x'.repeat(64), 'é'.repeat(32), 'a\0b', 7])('the schema %j is refused', (schema) => {
  const pool = new Pool()
  // The type forbids the number.
  expect(() => postgresStore(pool, { schema: schema as string })).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(/^Option "schema"/) }),
  )
})

const server = await servers(() => startPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool } = placeOf(server.url)
  const silence = ['postgres-forgets'] as const
  const schemas: string[] = []
  afterAll(async () => {
    for (const schema of schemas) await pool.query(`DROP SCHEMA IF EXISTS ${quoted(schema)} CASCADE`)
  })
  const newSchema = (name = `test ${randomUUID()}`) => {
    schemas.push(name)
    return name
  }
  const open = (options: PostgresStoreOptions, from = pool) => postgresStore(from, { silence, ...options })

  for (const [name, openPool] of Object.entries(pools)) {
    test(`${name}: twenty connections that start at once make one set of tables, and all serve`, async () => {
      const schema = newSchema()
      const opened = Array.from({ length: 20 }, () => openPool(server.url, { max: 1 }))
      const stores = opened.map(({ client }) => postgresStore(client, { schema, silence }))
      const results = await Promise.all(stores.map((store) => store.claim(requestFor('k'))))
      expect(results.map(({ kind }) => kind).toSorted()).toEqual(['claimed', ...Array(19).fill('running')])
      const { rows } = await pool.query(`SELECT * FROM ${quoted(schema)}.hapax_meta`)
      expect(rows).toEqual([{ only_row: true, schema_version: migrations.length, min_reader: 1 }])
      await Promise.all(stores.map((store) => store.close()))
      await Promise.all(opened.map(({ close }) => close()))
    })
  }

  test('ten that start at once under a strict isolation', async () => {
    const schema = newSchema()
    const options = '-c default_transaction_isolation=serializable'
    const strict = new Pool({ connectionString: server.url, options, max: 10 })
    const stores = Array.from({ length: 10 }, () => open({ schema }, strict))
    await Promise.all(stores.map((store, index) => store.claim(requestFor(`k${index}`))))
    await Promise.all(stores.map((store) => store.close()))
    await strict.end()
  })

  test.each(['public-ish', 'With "quotes" and \\ and \'', 'ж', '$hapax$'])(
    'a schema named %j',
    async (name) => {
      const store = open({ schema: newSchema(`${name} ${randomUUID().slice(0, 8)}`) })
      expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'claimed' })
      await store.close()
    },
  )

  test.each([1, 2])(
    'from version %i: records stay, and what is damaged is refused as before',
    async (version) => {
      const schema = newSchema()
      const tables = migrations.filter((migration) => migration.version <= version).map(({ sql }) => sql)
      const client = await pool.connect()
      await client.query(
        `CREATE SCHEMA ${quoted(schema)}; SET search_path = ${quoted(schema)}; ${tables.join('')}`,
      )
      await client.query(`
      INSERT INTO hapax_record (id, token, since, expires_at, retain_ms, retain_unknown_ms, attempt, status, format, state,
        recovery, owner, fingerprint, headers, body)
      VALUES ('old', 7, now(), now() + interval '1 hour', 1, 1, 1, 201, 1, 'completed', 'refuse', 'o', '{b1:x}', '{}', 'x')`)
      await client.query('RESET search_path')
      client.release()
      const store = open({ schema })
      expect(await store.claim(requestFor('old'))).toMatchObject({
        kind: 'completed',
        response: { status: 201 },
      })
      expect(await store.claim(requestFor('new'))).toMatchObject({ kind: 'claimed' })
      const table = `${quoted(schema)}.hapax_record`
      const violation = { code: '23514', constraint: 'hapax_record_is_whole' }
      for (const damage of ['body = NULL', "step_names = '{a}'", "format = 2, step_names = '{a}'"]) {
        await expect(pool.query(`UPDATE ${table} SET ${damage} WHERE id = 'old'`)).rejects.toMatchObject(
          violation,
        )
      }
      // A newer format has its own rules.
      await pool.query(`UPDATE ${table} SET format = 2, body = NULL WHERE id = 'old'`)
      await store.close()
    },
  )

  describe('of another release', () => {
    const meta = (schema: string, change: string) =>
      pool.query(`UPDATE ${quoted(schema)}.hapax_meta SET ${change}`)

    test('that still lets this one in: used, and what it added is left alone', async () => {
      const schema = newSchema()
      const before = open({ schema })
      await before.claim(requestFor('before'))
      await pool.query(`ALTER TABLE ${quoted(schema)}.hapax_record ADD COLUMN added text DEFAULT 'theirs'`)
      await meta(schema, 'schema_version = 9')
      const after = open({ schema })
      for (const store of [before, after]) {
        expect(await store.claim(requestFor('before'))).toMatchObject({ kind: 'running' })
        expect(await store.claim(requestFor(randomUUID()))).toMatchObject({ kind: 'claimed' })
      }
      const { rows } = await pool.query(`SELECT schema_version, min_reader FROM ${quoted(schema)}.hapax_meta`)
      expect(rows).toEqual([{ schema_version: 9, min_reader: 1 }])
      await before.close()
      await after.close()
    })

    test('that shuts this one out: refused, also while it runs', async () => {
      const schema = newSchema()
      const running = open({ schema, reapEvery: 20 })
      await running.claim(requestFor('k'))
      await meta(schema, 'schema_version = 9, min_reader = 7')
      const message = expect.stringMatching(/needs schema version 7.*Upgrade hapax here/)
      const refused = { code: 'schema-too-new', message }
      await expect(open({ schema }).claim(requestFor('k'))).rejects.toMatchObject(refused)
      await expect
        .poll(() => running.claim(requestFor('k')).catch((error: unknown) => error), { timeout: 5_000 })
        .toMatchObject(refused)
      await running.close()
    })
  })

  describe('for teams that run migrations themselves', () => {
    test('migrate: false makes nothing, and says what to do', async () => {
      const schema = newSchema()
      const store = open({ schema, migrate: false })
      await expect(store.claim(requestFor('k'))).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringMatching(/hapax migrate --print/),
      })
      const { rows } = await pool.query('SELECT to_regnamespace($1) AS there', [quoted(schema)])
      expect(rows).toEqual([{ there: null }])
      // Once it is made, the same store goes on.
      const { stdout } = await runCli('migrate', '--print', '--schema', schema)
      await pool.query(stdout)
      await pool.query(stdout)
      expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'claimed' })
      await store.close()
    })

    test('what is printed may be run by twenty at once', async () => {
      const schema = newSchema()
      const script = migrationScript(schema)
      const many = new Pool({ connectionString: server.url, max: 20 })
      await Promise.all(Array.from({ length: 20 }, () => many.query('SELECT 1')))
      await Promise.all(Array.from({ length: 20 }, () => many.query(script)))
      const { rows } = await pool.query(`SELECT schema_version FROM ${quoted(schema)}.hapax_meta`)
      expect(rows).toEqual([{ schema_version: migrations.length }])
      await many.end()
    })

    test('hapax keys finds and settles keys there, and makes no tables', async () => {
      const schema = newSchema()
      const address = `${server.url}?schema=${schema}`
      const missing = await runCli('keys', 'stats', '--store', address)
      expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/hapax migrate/) })

      const once = createIdempotency({ store: open({ schema }) })
      const request = { key: 'evt_1', scope: 'user-1', recovery: 'rerun' } as const
      const attempt = () =>
        once.run(request, ({ step }) => step('charge', () => Promise.reject(new Error('no answer'))))
      await attempt().catch(() => {})
      await attempt().catch(() => {})
      const listed = await runCli('keys', 'list', '--store', address, '--json')
      expect(JSON.parse(listed.stdout)).toMatchObject({ keys: [{ state: 'unknown', key: 'evt_1' }] })
      const named = ['--store', address, '--scope', 'user-1', 'evt_1']
      const settled = await runCli('keys', 'settle', '--yes', '--body', '"by hand"', ...named)
      expect(settled).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^audit /) })
      expect(await once.run(request, () => 'ran')).toBe('by hand')
    })

    test('hapax migrate --store makes them, as often as it is called', async () => {
      const schema = newSchema()
      for (let round = 0; round < 2; round += 1) {
        const done = await runCli('migrate', '--store', server.url, '--schema', schema)
        expect(done).toEqual({ exitCode: 0, stderr: '', stdout: `The schema "${schema}" is up to date.\n` })
      }
      const store = open({ schema, migrate: false })
      expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'claimed' })
      await store.close()
    })

    test.each([
      [['migrate', '--store', 'redis://x'], /--store postgres:\/\//],
      [['migrate', '--store', 'postgres://x@127.0.0.1:1/x'], /ECONNREFUSED/],
    ])('hapax %j says what is wrong', async (options, sentence) => {
      const { exitCode, stdout, stderr } = await runCli(...options)
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
      expect(stderr).toMatch(sentence)
      expect(stderr).not.toContain('    at ')
    })

    test('the privileges of docs/postgres.md are enough, and without them the error names them', async () => {
      const schema = newSchema()
      const role = `hapax_test_${randomUUID().slice(0, 8)}`
      await pool.query(`CREATE ROLE ${role} LOGIN`)
      const url = new URL(server.url)
      url.username = role
      const poor = new Pool({ connectionString: url.href, max: 2 })
      const store = open({ schema }, poor)
      const refused = { code: 'store-failed', message: expect.stringMatching(/USAGE on the schema/) }
      await expect(store.claim(requestFor('k'))).rejects.toMatchObject(refused)
      await runCli('migrate', '--store', server.url, '--schema', schema)
      await expect(store.claim(requestFor('k'))).rejects.toMatchObject(refused)
      await pool.query(`GRANT USAGE ON SCHEMA ${quoted(schema)} TO ${role}`)
      await pool.query(
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${quoted(schema)} TO ${role}`,
      )
      expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'claimed' })
      const unsubscribe = await store.watch?.('k', () => {})
      unsubscribe?.()
      expect(await store.inspect?.forget('k')).toBe(true)
      await store.close()
      await poor.end()
      await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    })
  })
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
