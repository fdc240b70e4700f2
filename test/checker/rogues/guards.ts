import { setTimeout as sleep } from 'node:timers/promises'
import {
  answers,
  fingerprint,
  type Guard,
  type GuardedCall,
  soundGuard,
  soundParts,
} from '../../../src/checker/reference/layer.ts'
import { linesOf, type Reply } from '../../../src/checker/reference/messages.ts'

/** Whole layers that are wrong in how they hold a claim: each does one thing that libraries in the field do. */

type Keyed = { readonly id: string; readonly fingerprint: string }

function keyed(call: GuardedCall): Keyed | undefined {
  const reading = soundParts.readKey(linesOf(call.request, 'idempotency-key'))
  if (reading.kind !== 'key') return undefined
  return { id: soundParts.scope(call.principal, reading.key), fingerprint: fingerprint(call.request) }
}

/** Runs the sound layer for anything but a well-formed key, and the rogue one for that. */
function rogue(run: (call: GuardedCall, keyed: Keyed) => Promise<Reply>): Guard {
  const sound = soundGuard()
  return async (call) => {
    const own = keyed(call)
    return own === undefined || call.store.down ? sound(call) : run(call, own)
  }
}

function keep(call: GuardedCall, own: Keyed, reply: Reply): Reply {
  const expiresAt = Date.now() + call.retainMs
  call.store.write(own.id, {
    state: 'done',
    fingerprint: own.fingerprint,
    reply: soundParts.toStore(reply),
    expiresAt,
  })
  return reply
}

async function runSafely(call: GuardedCall): Promise<Reply> {
  try {
    return await call.run()
  } catch {
    return { status: 500, headers: [], body: Buffer.alloc(0) }
  }
}

function known(call: GuardedCall, own: Keyed): Reply | undefined {
  const record = call.store.read(own.id)
  if (record === undefined) return undefined
  if (record.fingerprint !== own.fingerprint) return answers.reused()
  if (record.state === 'running') return answers.inProgress()
  return record.state === 'unknown' ? answers.unknown() : soundParts.toReplay(record.reply, call.request)
}

/** Get, run, set: the middleware of a hundred blog posts. */
export const checkThenAct = rogue(
  async (call, own) => known(call, own) ?? keep(call, own, await runSafely(call)),
)

/** Stores the 409 it gave a duplicate, and then does not overwrite it. */
export const storesConflict = rogue(async (call, own) => {
  const told = known(call, own)
  if (told?.status === 409 && told.headers.some(([name]) => name === 'Retry-After'))
    return keep(call, own, told)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  const reply = await runSafely(call)
  return call.store.read(own.id)?.state === 'done' ? reply : keep(call, own, reply)
})

/** Records its own 422 over the good record. */
export const poisons = rogue(async (call, own) => {
  const told = known(call, own)
  if (told?.status === 422) return keep(call, own, told)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  return keep(call, own, await runSafely(call))
})

/** Its lock expires while the handler still runs. */
export function shortLease(leaseMs: number): Guard {
  return rogue(async (call, own) => {
    const told = known(call, own)
    if (told !== undefined) return told
    call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
    const timer = setTimeout(() => {
      if (call.store.read(own.id)?.state === 'running') call.store.write(own.id, undefined)
    }, leaseMs)
    const reply = await runSafely(call)
    clearTimeout(timer)
    return keep(call, own, reply)
  })
}

/** Frees the claim, answers, and stores the answer a little later. */
export const completesLate = rogue(async (call, own) => {
  const told = known(call, own)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  const reply = await runSafely(call)
  call.store.write(own.id, undefined)
  setTimeout(() => keep(call, own, reply), 250)
  return reply
})

/** Takes a client that hung up for a request that never was, and frees the key while the handler goes on. */
export const forgetsTheAbsent = rogue(async (call, own) => {
  const told = known(call, own)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  call.request.gone.addEventListener('abort', () => call.store.write(own.id, undefined))
  const reply = await runSafely(call)
  return call.request.gone.aborted ? reply : keep(call, own, reply)
})

/** Never ends the claim of a client that hung up. */
export const wedgesOnHangup = rogue(async (call, own) => {
  const told = known(call, own)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  const reply = await runSafely(call)
  return call.request.gone.aborted ? reply : keep(call, own, reply)
})

/** After a crash, takes what was running for never begun. */
export const rerunsAfterCrash = rogue(async (call, own) => {
  const record = call.store.read(own.id)
  if (record?.state === 'unknown') call.store.write(own.id, undefined)
  const told = known(call, own)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  return keep(call, own, await runSafely(call))
})

/** Gives the key back when the record cannot be written: the effect has happened all the same. */
export const forgetsWhenStoreFails: Guard = async (call) => {
  const own = keyed(call)
  if (own === undefined || call.store.down) return soundGuard()(call)
  const told = known(call, own)
  if (told !== undefined) return told
  call.store.write(own.id, { state: 'running', fingerprint: own.fingerprint })
  const reply = await runSafely(call)
  if (!call.store.down) return keep(call, own, reply)
  call.store.records.delete(own.id)
  return { status: 500, headers: [], body: Buffer.alloc(0) }
}

/** Keeps an expired record as "in progress". */
export const halfExpires: Guard = async (call) => {
  const own = keyed(call)
  if (own === undefined) return soundGuard()(call)
  const record = call.store.records.get(own.id)
  if (record?.state === 'done' && record.expiresAt <= Date.now()) return answers.inProgress()
  return soundGuard()(call)
}

/** Runs an unkeyed request once for its content. */
export const guessesByContent: Guard = (call) => {
  if (linesOf(call.request, 'idempotency-key').length > 0) return soundGuard({ required: false })(call)
  const lines = [...call.request.lines, ['idempotency-key', `"${fingerprint(call.request)}"`] as const]
  return soundGuard()({ ...call, request: { ...call.request, lines } })
}

/** One lock for all keys. */
export function oneLockForAll(): Guard {
  let busy = false
  const sound = soundGuard()
  return async (call) => {
    if (busy) return answers.inProgress()
    busy = true
    try {
      await sleep(5)
      return await sound(call)
    } finally {
      busy = false
    }
  }
}

/** Errors as bare text. */
export const bareErrors: Guard = async (call) => {
  const reply = await soundGuard()(call)
  const own = reply.headers.some(([, value]) => value === 'application/problem+json')
  if (!own) return reply
  return { status: reply.status, headers: [['Content-Type', 'text/plain']], body: Buffer.from('Error\n') }
}

/** 400 for everything that is wrong with a key. */
export const alwaysBadRequest: Guard = async (call) => {
  const reply = await soundGuard()(call)
  if (reply.status !== 422 || !reply.body.includes('key-reused')) return reply
  return { ...reply, status: 400, body: Buffer.from(reply.body.toString().replace('422', '400')) }
}
