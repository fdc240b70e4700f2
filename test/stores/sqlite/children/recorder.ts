// Claims and completes new keys, and writes the id of each that was acknowledged on a line of standard output.
// Arguments: file, prefix of its keys, how many at a time (16), how many in all (it goes on for ever).
import { writeSync } from 'node:fs'
import { sqliteStore } from '../../../../src/stores/sqlite.ts'
import { answer, requestFor } from '../../requests.ts'

const [file = '', prefix = '', atATime = '16', inAll = 'Infinity'] = process.argv.slice(2)
const store = sqliteStore(file, { busyTimeout: 15_000 })
let count = 0
await Promise.all(Array.from({ length: Number(atATime) }, recordKeys))

await store.close()

async function recordKeys(): Promise<void> {
  while (count < Number(inAll)) {
    count += 1
    const request = { ...requestFor(`${prefix}${count}`), owner: crypto.randomUUID() }
    const claimed = await store.claim(request)
    if (claimed.kind !== 'claimed') throw new Error(`${request.id}: ${claimed.kind}`)
    const { token, attempt } = claimed
    const lease = { ...request, token, attempt, takeover: false }
    const result = await store.complete(lease, answer(`answer to ${request.id} `.repeat(50)))
    if (result !== 'written') throw new Error(`${request.id}: ${result}`)
    writeSync(1, `${request.id}\n`)
  }
}
