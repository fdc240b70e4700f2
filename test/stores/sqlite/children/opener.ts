// Opens each file that it is told of five times, claims the same key on each connection, and tells what the
// claims met.
import { sqliteStore } from '../../../../src/stores/sqlite.ts'
import { requestFor } from '../../requests.ts'

process.on('message', (file: string) => void openAndClaim(file))
process.send?.('ready')

async function openAndClaim(file: string): Promise<void> {
  const stores = Array.from({ length: 5 }, () => sqliteStore(file))
  const claims = stores.map(async (store) => {
    const { kind } = await store.claim({ ...requestFor('k'), owner: crypto.randomUUID() })
    return { id: 'k', kind }
  })
  process.send?.(await Promise.all(claims))
  await Promise.all(stores.map((store) => store.close()))
}
