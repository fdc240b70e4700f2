import { type Idempotency, isIdempotencyError, type RunContext } from 'hapax'

export interface Slot {
  /** The job's name. */
  readonly name: string
  /** How often it is due: the key is the moment that it was due, the same on every instance. */
  readonly everyMs: number
  readonly nowMs?: number
}

/** Runs a job once for each time that it is due, however many instances have the same schedule. */
export async function oncePerSlot(
  once: Idempotency,
  { name, everyMs, nowMs = Date.now() }: Slot,
  job: (context: RunContext) => Promise<void>,
): Promise<'done' | 'elsewhere'> {
  const due = new Date(Math.floor(nowMs / everyMs) * everyMs).toISOString()
  try {
    await once.run({ key: due, scope: `cron:${name}`, retain: everyMs * 2 }, job)
    return 'done'
  } catch (error) {
    if (isIdempotencyError(error) && error.problem?.code === 'in-progress') return 'elsewhere'
    throw error
  }
}
