// The adapter contract of hapax/fetch in the runtime that runs this file: `bun contract.ts`, `deno run -A contract.ts`.
import { fetchOn } from '../../test/support/adapters/fetch-handler.ts'
import { report } from './report.ts'
import { lacks, serve } from './serve.ts'

await report(fetchOn('fetch', serve, lacks))
