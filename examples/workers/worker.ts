// A Worker whose records and orders are in Postgres. `nodejs_compat` must be on: see wrangler.jsonc.
import { withIdempotency } from 'hapax/fetch'
import { postgresStore } from 'hapax/postgres'
import postgres, { type Sql } from 'postgres'

interface Env {
  /** On Cloudflare: the connection string of a Hyperdrive, which keeps the real connections open. */
  readonly DATABASE_URL: string
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    // A Worker may not use a connection that another request has opened: so each has its own, and its own guard.
    const sql = postgres(env.DATABASE_URL, { max: 1, fetch_types: false })
    const handle = withIdempotency(() => answer(request, sql), {
      // Tables are made once, by `hapax migrate`, and not by each request.
      store: postgresStore(sql, { migrate: false }),
      scope: false,
      waitUntil: (work) => context.waitUntil(work),
    })
    const response = await handle(request)
    // When the record is written and the answer is out.
    context.waitUntil(handle.close().then(() => sql.end()))
    return response
  },
}

async function answer(request: Request, sql: Sql): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  if (request.method === 'POST' && pathname === '/api/orders') {
    const { item } = (await request.json()) as { item: string }
    const id = crypto.randomUUID()
    await sql`INSERT INTO orders (id, item) VALUES (${id}, ${item})`
    return Response.json({ id, item }, { status: 201 })
  }
  if (request.method === 'GET' && pathname === '/effects') {
    const item = searchParams.get('item')
    const chosen = item === null ? sql`` : sql`WHERE item = ${item}`
    const [counted] = await sql`SELECT count(*)::int AS count FROM orders ${chosen}`
    return Response.json(counted)
  }
  return new Response('Not found', { status: 404 })
}
