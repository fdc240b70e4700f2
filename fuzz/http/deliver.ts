import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** So many bytes at most go one by one; the rest follows at once. */
const mostSingleBytes = 600
const longestMs = 5_000

/**
 * Sends bytes on a connection of their own and returns what came back. `how`: 0 at once, 1 byte by byte, 2 in two
 * halves, 3 cut off by hanging up.
 *
 * @param settle Resolves when the server had time to read what was sent.
 */
export async function deliver(
  port: number,
  bytes: Buffer,
  how: number,
  settle: () => Promise<void>,
): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  // A server that refuses a request may reset the connection while more is being sent.
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  await send(socket, bytes, how % 4)
  await settle()
  if (how % 4 === 3) socket.destroy()
  else socket.end()
  const timer = setTimeout(() => socket.destroy(), longestMs)
  await closed
  clearTimeout(timer)
  return Buffer.concat(received)
}

async function send(socket: Socket, bytes: Buffer, how: number): Promise<void> {
  const singleBytes = how === 1 ? Math.min(bytes.length, mostSingleBytes) : 0
  for (let at = 0; at < singleBytes; at += 1) {
    socket.write(bytes.subarray(at, at + 1))
    await nextTurn()
  }
  const rest = bytes.subarray(singleBytes)
  if (how === 0 || how === 1) {
    socket.write(rest)
    return
  }
  const half = Math.floor(rest.length / 2)
  socket.write(rest.subarray(0, half))
  await nextTurn()
  if (how === 2) socket.write(rest.subarray(half))
}
