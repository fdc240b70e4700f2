import type { Channel, ConsumeMessage } from 'amqplib'
import { type Idempotency, isIdempotencyError, type RunContext, type RunOptions } from 'hapax'

type Work<Data> = (data: Data, context: RunContext) => Promise<unknown>

interface ConsumerOptions extends RunOptions {
  /** How long a message that could not be done rests before it goes back to the queue. */
  readonly retryMs?: number
}

/** Consumes a queue: what a delivery has done, the next delivery of its message does not do again. */
export function consumeOnce<Data>(
  channel: Channel,
  once: Idempotency,
  queue: string,
  work: Work<Data>,
  { retryMs = 5_000, ...options }: ConsumerOptions = {},
) {
  async function take(message: ConsumeMessage): Promise<void> {
    try {
      await run(message)
      settle(() => channel.ack(message))
    } catch (error) {
      const again = !isHopeless(error)
      if (again) await new Promise((resolve) => setTimeout(resolve, retryMs))
      settle(() => channel.nack(message, false, again))
    }
  }

  async function run({ properties, content }: ConsumeMessage): Promise<void> {
    const data: Data = JSON.parse(content.toString())
    // After a crash or an error the work runs again; its steps do not.
    const call = {
      ...options,
      key: properties.messageId,
      scope: queue,
      payload: data,
      recovery: 'rerun',
    } as const
    await once.run(call, (context) => work(data, context))
  }

  return channel.consume(queue, (message) => {
    if (message !== null) void take(message)
  })
}

/** No delivery will succeed: no id, no JSON, another message had this id, or nobody knows how a step ended. */
function isHopeless(error: unknown): boolean {
  return isIdempotencyError(error) ? error.problem?.retryable === false : error instanceof SyntaxError
}

function settle(answer: () => void): void {
  try {
    answer()
  } catch {
    // The channel has closed: the queue delivers again what had no answer.
  }
}
