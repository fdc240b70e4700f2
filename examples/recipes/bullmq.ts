import { type Job, UnrecoverableError } from 'bullmq'
import { type Idempotency, isIdempotencyError, type RunContext, type RunOptions } from 'hapax'

type Work<Data, Result> = (data: Data, context: RunContext) => Promise<Result>

/** A processor for `new Worker(queue, …)`: a job that is delivered again gives the first delivery's result. */
export function processOnce<Data, Result>(
  once: Idempotency,
  queue: string,
  work: Work<Data, Result>,
  options: RunOptions = {},
) {
  return async ({ id, data }: Job<Data, Result>): Promise<Result> => {
    if (id === undefined) throw new UnrecoverableError('The job has no id: add it with a jobId.')
    try {
      // After a crash or an error the job runs again; its steps do not.
      const call = { ...options, key: id, scope: queue, payload: data, recovery: 'rerun' } as const
      return await once.run(call, (context) => work(data, context))
    } catch (error) {
      // No attempt will succeed: another job had this id, or nobody knows how a step ended.
      if (isIdempotencyError(error) && error.problem?.retryable === false) {
        throw new UnrecoverableError(error.message)
      }
      throw error
    }
  }
}
