// Claims the same keys as its siblings, all at once, and tells which it won. Arguments: file, keys, claims of
// each. Waits for a message between opening and claiming, so that all processes claim together.
import { sqliteStore } from '../../../../src/stores/sqlite.ts'
import { requestFor } from '../../requests.ts'

const [file = '', keys = '', claimsOfEach = ''] = process.argv.slice(2)
const store = sqliteStore(file, { busyTimeout: 15_000 })
process.send?.('open')
await new Promise((resolve) => {
  process.once('message', resolve)
})
const ids = Array.from({ length: Number(keys) }, (_, index) => `k${index}`)
const claims = ids.flatMap((id) =>
  Array.from({ length: Number(claimsOfEach) }, async () => {
    const { kind } = await store.claim({ ...requestFor(id), owner: crypto.randomUUID() })
    return { id, kind }
  }),
)
process.send?.(await Promise.all(claims))
await store.close()
process.disconnect()
