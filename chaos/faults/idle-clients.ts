import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './fault.ts'

const head =
  'POST /orders HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: "%"\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"marker":"'
const holdMs = 2_500
const dripMs = 500

/** Half of them say nothing at all; half begin a request with a key, and send a byte now and then. */
export const idleClients: Fault = async ({ fleet, idleClients: count }) => {
  const sockets: Socket[] = []
  const drips: Socket[] = []
  for (let index = 0; index < count; index += 1) {
    const member = fleet.members[index % fleet.members.length]
    if (member === undefined) break
    const socket = connect(member.port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    if (index % 2 === 0) {
      socket.write(head.replace('%', `idle-${index}`))
      drips.push(socket)
    }
    // A machine takes so many connections at a time before it refuses some.
    if (index % 200 === 0) await sleep(5)
  }
  const drip = setInterval(() => {
    for (const socket of drips) socket.write('x')
  }, dripMs)
  await sleep(holdMs)
  clearInterval(drip)
  for (const socket of sockets) socket.destroy()
}
