// Finds every call that a process makes to its store, its database and the services it uses, and ends the process at
// the one that it was told. Loaded before the drivers are.
import { appendFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Store } from '../../../src/core/store.ts'

export interface PointSettings {
  /** One line is written here for each point that was reached. */
  readonly log: string
  /** Ends the process at this point, counted from 1. */
  readonly killAt?: number
  /** Stops it at the n-th answer of the database that comes after the payment provider's. */
  readonly stopAtAnswer?: number
  /** What listens at a port, for the names of points. */
  readonly peers: Readonly<Record<number, string>>
}

let settings: PointSettings | undefined
let count = 0
let hasCharged = false
let answersSinceCharge = 0

/** From here on, points count. */
export function arm(chosen: PointSettings): void {
  settings ??= chosen
}

function reach(name: string): void {
  if (settings === undefined) return
  count += 1
  appendFileSync(settings.log, `${name}\n`)
  if (name === 'services answered') hasCharged = true
  if (hasCharged && name === 'database answered') {
    answersSinceCharge += 1
    if (answersSinceCharge === settings.stopAtAnswer) process.kill(process.pid, 'SIGSTOP')
  }
  if (count !== settings.killAt) return
  process.kill(process.pid, 'SIGKILL')
  // The signal ends the process; until it does, nothing more may happen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** A call of the store begins, and has ended. */
export function withPoints(inner: Store): Store {
  const around =
    <Arguments extends unknown[], T>(verb: string, call: (...given: Arguments) => Promise<T>) =>
    async (...given: Arguments): Promise<T> => {
      reach(`store.${verb} begins`)
      const result = await call(...given)
      reach(`store.${verb} ended`)
      return result
    }
  const watch = inner.watch?.bind(inner)
  return {
    name: inner.name,
    durable: inner.durable,
    claim: around('claim', (request) => inner.claim(request)),
    renew: around('renew', (leases) => inner.renew(leases)),
    complete: around('complete', (lease, outcome) => inner.complete(lease, outcome)),
    release: around('release', (lease, options) => inner.release(lease, options)),
    abandon: around('abandon', (id, owner) => inner.abandon(id, owner)),
    recordStep: around('recordStep', (lease, change) => inner.recordStep(lease, change)),
    ...(watch !== undefined && { watch }),
    close: () => inner.close(),
  }
}

/**
 * What goes over the wire: before it is sent, when it has been (the server will carry it out, and nobody will hear of
 * it), and when the answer is there and nobody has looked at it.
 */
function watchSockets(): void {
  const prototype = Socket.prototype as unknown as Record<
    string,
    (this: Socket, ...given: unknown[]) => unknown
  >
  const { _writeGeneric: write, push } = prototype
  if (write === undefined || push === undefined)
    throw new Error('This Node writes to sockets in another way.')
  const nameOf = (socket: Socket) => settings?.peers[socket.remotePort ?? 0]
  prototype['_writeGeneric'] = function (...given) {
    const name = nameOf(this)
    if (name !== undefined) reach(`${name} is asked`)
    const result = write.apply(this, given)
    if (name !== undefined) reach(`${name} was asked`)
    return result
  }
  prototype['push'] = function (...given) {
    const name = nameOf(this)
    if (name !== undefined && given[0] !== null) reach(`${name} answered`)
    return push.apply(this, given)
  }
}

watchSockets()
