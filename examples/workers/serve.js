// Runs the built Worker on this machine, in the runtime that Cloudflare uses: `DATABASE_URL=postgres://… npm start`.
import { readFileSync } from 'node:fs'
import { Miniflare } from 'miniflare'

const { PORT = '8787', DATABASE_URL } = process.env
if (DATABASE_URL === undefined) {
  console.error('DATABASE_URL is missing; give postgres://user@host/database.')
  process.exit(1)
}
const worker = new Miniflare({
  host: '127.0.0.1',
  port: Number(PORT),
  modules: true,
  script: readFileSync(new URL('dist/worker.js', import.meta.url), 'utf8'),
  compatibilityDate: '2026-07-01',
  compatibilityFlags: ['nodejs_compat', 'enable_request_signal'],
  bindings: { DATABASE_URL },
})
console.log(`Listening on ${(await worker.ready).origin}`)
process.once('SIGTERM', () => void worker.dispose())
