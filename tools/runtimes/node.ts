// The adapter contract of hapax/fetch on older releases of Node, which run it as one bundle: their own `Request`,
// `Response` and streams, behind @hono/node-server.
import { fetchSubject } from '../../test/support/adapters/fetch.ts'
import { report } from './report.ts'

await report(fetchSubject)
