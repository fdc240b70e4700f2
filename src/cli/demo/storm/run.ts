import { untilInterrupted } from '../interrupted.ts'
import { showProgress } from './progress.ts'
import { resultTable, type StormResult } from './result.ts'
import { Storm, type StormOptions } from './storm.ts'

/** Runs a storm on the terminal: progress, then the verdict. */
export async function runStorm({ json, ...options }: StormOptions & { json: boolean }): Promise<StormResult> {
  const interrupted = untilInterrupted()
  const storm = new Storm(options)
  const progress = json ? undefined : showProgress(storm)
  try {
    const result = await Promise.race([storm.run(), interrupted.then(() => undefined)])
    progress?.end()
    if (result !== undefined) {
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : resultTable(result))
      return result
    }
  } finally {
    progress?.end()
    await storm.stop()
  }
  // The customers go on trying as long as the process lives.
  return process.exit(128 + 2)
}
