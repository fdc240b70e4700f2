// The adapter contract of hapax/fetch on older releases of Node, as in node.ts, with nothing in place of their own `Request`
// and `Response`.
import { undiciServer } from '../../bench/undici.ts'
import { fetchOn } from '../../test/support/adapters/fetch-handler.ts'
import { listening } from '../../test/support/adapters/serve.ts'
import { report } from './report.ts'

await report(fetchOn('fetch', (handle) => listening(undiciServer(handle))))
