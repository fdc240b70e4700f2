import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** What became of the traffic on one server. */
export interface TrafficReport {
  readonly answers: Readonly<Record<string, number>>
  readonly hangUps: number
  /** Answers that no request of that kind may get. */
  readonly wrong: readonly string[]
}

export interface Traffic {
  stop(): Promise<TrafficReport>
}

const customers = 6
const pauseMs = 40
const delaysMs = [0, 5, 20, 60] as const

interface Ask {
  readonly key: string
  readonly value?: number
  readonly delayMs: number
  readonly wait?: boolean
}

/** Steady: each customer sends one request after another, of every kind in turn. */
export function startTraffic(port: number): Traffic {
  const counting: Counting = { answers: {}, hangUps: 0, wrong: [] }
  const stopping = new AbortController()
  const running = Array.from({ length: customers }, async (_, user) => {
    await sleep((pauseMs * user) / customers)
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      await oneTurn(port, `user-${user}`, turn, counting).catch((error: unknown) => {
        counting.wrong.push(String(error))
      })
      await sleep(pauseMs)
    }
  })
  return {
    stop: async () => {
      stopping.abort()
      await Promise.all(running)
      return counting
    },
  }
}

interface Counting {
  readonly answers: Record<string, number>
  hangUps: number
  readonly wrong: string[]
}

async function oneTurn(port: number, user: string, turn: number, counting: Counting): Promise<void> {
  const key = randomUUID()
  const delayMs = delaysMs[turn % delaysMs.length] ?? 0
  const expected = async (what: string, asked: Ask, status: number): Promise<void> => {
    const got = await ask(port, user, asked)
    const name = `${what} ${got}`
    counting.answers[name] = (counting.answers[name] ?? 0) + 1
    if (got !== status) counting.wrong.push(name)
  }
  switch (turn % 5) {
    case 0:
      await expected('first', { key, delayMs }, 201)
      await expected('replay', { key, delayMs }, 201)
      return
    case 1:
      await Promise.all([
        expected('waits', { key, delayMs: 60, wait: true }, 201),
        expected('waits', { key, delayMs: 60, wait: true }, 201),
      ])
      return
    case 2:
      await hangUp(port, user, { key, delayMs: 60 })
      counting.hangUps += 1
      return
    case 3:
      await expected('first', { key, delayMs }, 201)
      await expected('other payload', { key, delayMs, value: 2 }, 422)
      return
    default:
      await expected('malformed key', { key: '"', delayMs }, 400)
  }
}

async function ask(port: number, user: string, asked: Ask): Promise<number> {
  const { body, headers } = messageOf(user, asked)
  const answer = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', headers, body })
  await answer.arrayBuffer()
  return answer.status
}

/** Sends a whole request and leaves while its handler runs. */
async function hangUp(port: number, user: string, asked: Ask): Promise<void> {
  const { body, headers } = messageOf(user, asked)
  const lines = Object.entries({ Host: 'x', 'Content-Length': String(body.length), ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write(`POST /orders HTTP/1.1\r\n${head}\r\n${body}`)
  await sleep(20)
  socket.destroy()
}

function messageOf(user: string, { key, value = 1, delayMs, wait }: Ask) {
  return {
    body: JSON.stringify({ delayMs, value }),
    headers: {
      'Content-Type': 'application/json',
      'Idempotency-Key': key,
      'X-User': user,
      ...(wait === true && { 'X-Wait': '1' }),
    },
  }
}
