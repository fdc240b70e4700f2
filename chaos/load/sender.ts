// Sends requests for intents and keeps book of what was heard.
import { createClient } from '../../src/client/index.ts'
import { type Intent, isDefinite, type Word } from './intent.ts'
import type { Timeline } from './timeline.ts'

const attemptTimeoutMs = 2_000

interface Heard {
  readonly word: Word
  /** The same answer, for whoever wants to read it. */
  readonly response: Response
}

export class Sender {
  readonly words = new Map<Word, number>()
  readonly #ports: readonly number[]
  readonly #timeline: Timeline
  readonly #random: () => number
  requests = 0
  duplicates = 0
  slowestAnswerMs = 0

  constructor(ports: readonly number[], timeline: Timeline, random: () => number) {
    this.#ports = ports
    this.#timeline = timeline
    this.#random = random
  }

  /** One request for the intent, to one server; a random one, as a load balancer's choice looks from outside. */
  async send(intent: Intent, port = this.#anyPort()): Promise<Word> {
    const heard = await this.#attempt(intent, port, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `"${intent.key}"` },
      body: JSON.stringify({ marker: intent.marker }),
    }).catch(() => undefined)
    return heard?.word ?? 'no-answer'
  }

  /** The intent by this project's own client, which decides by itself what to send again. */
  async sendByClient(intent: Intent): Promise<void> {
    const client = createClient({
      deadline: '6s',
      retries: 10,
      newKey: () => intent.key,
      fetch: async (_input, init) => (await this.#attempt(intent, this.#anyPort(), init)).response,
    })
    const request = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ marker: intent.marker }),
    }
    await client.fetch('http://127.0.0.1/orders', request).catch(() => undefined)
  }

  async #attempt(intent: Intent, port: number, init: RequestInit | undefined): Promise<Heard> {
    this.requests += 1
    if (intent.requests > 0) this.duplicates += 1
    intent.requests += 1
    const startMs = performance.now()
    try {
      const ownSignal = AbortSignal.timeout(attemptTimeoutMs)
      const signal = init?.signal == null ? ownSignal : AbortSignal.any([init.signal, ownSignal])
      const response = await fetch(`http://127.0.0.1:${port}/orders`, { ...init, signal })
      const text = await response.text()
      this.slowestAnswerMs = Math.max(this.slowestAnswerMs, performance.now() - startMs)
      const { status, headers } = response
      const word = wordOf(status, text)
      this.#hear(intent, word, text)
      return { word, response: new Response(text, { status, headers }) }
    } catch (error) {
      this.#count('no-answer')
      throw error
    }
  }

  #hear(intent: Intent, word: Word, text: string): void {
    this.#count(word)
    if (!isDefinite(word)) return
    const receipt = word === 'success' ? receiptIn(text) : undefined
    if (intent.receipt !== undefined && word === 'response-not-kept') {
      intent.isForgotten = true
    } else if (intent.receipt !== undefined && receipt !== intent.receipt) {
      intent.contradictions.push(`told ${intent.receipt}, then ${receipt ?? word}`)
    }
    intent.receipt ??= receipt
    intent.settled = word
  }

  #count(word: Word): void {
    this.words.set(word, (this.words.get(word) ?? 0) + 1)
    this.#timeline.add(word)
  }

  #anyPort(): number {
    return this.#ports[Math.floor(this.#random() * this.#ports.length)] ?? 0
  }
}

const problemCodes: ReadonlySet<string> = new Set<Word>([
  'in-progress',
  'outcome-unknown',
  'response-not-kept',
  'store-unavailable',
])

function wordOf(status: number, text: string): Word {
  if (status === 201) return 'success'
  const code = fieldOf(text, 'code')
  // The set holds words only.
  if (code !== undefined && problemCodes.has(code)) return code as Word
  return `other: ${status} ${code ?? text.slice(0, 60)}`
}

function receiptIn(text: string): string {
  return fieldOf(text, 'id') ?? text
}

function fieldOf(text: string, field: string): string | undefined {
  try {
    const value: unknown = Reflect.get(Object(JSON.parse(text)), field)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
