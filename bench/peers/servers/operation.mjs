// What every server here has in common: the operation, the count of its effects, and how it is started.
import { randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export const redisUrl = process.env.REDIS_URL
export const port = Number(process.env.PORT ?? 0)
const ledger = process.env.LEDGER

/** Makes one effect for the body's marker. Knows nothing of idempotency. */
export async function placeOrder({ marker, amount }, delayMs) {
  await sleep(Number(delayMs ?? 0))
  appendFileSync(ledger, `${marker}\n`)
  return { id: randomUUID(), amount }
}

/** How many effects there were for one marker, in all processes. Mounted outside every library. */
export function countEffects(req, res) {
  const lines = existsSync(ledger) ? readFileSync(ledger, 'utf8').split('\n') : []
  res.json({ count: lines.filter((line) => line === req.query.marker).length })
}

/** Tells whoever started this process where it listens. */
export function announce(server) {
  process.send?.(server.address().port)
  process.once('disconnect', () => process.exit())
}
