import { type AdapterSubject, testAdapter } from '../../src/testing/adapter.ts'

/** What a run of the contract found. */
export interface Outcome {
  readonly passed: number
  readonly failed: number
}

/** Runs the contract, some cases at once, and tells `onFailure` of each that fails. */
export async function runContract(
  subject: AdapterSubject,
  atOnce: number,
  onFailure: (name: string, error: unknown) => void,
): Promise<Outcome> {
  const cases: Array<{ readonly name: string; run(): unknown }> = []
  let path: readonly string[] = []
  testAdapter(
    {
      describe(name, body) {
        const outer = path
        path = [...outer, name]
        body()
        path = outer
      },
      test: (name, run) => void cases.push({ name: [...path, name].join(' > '), run }),
    },
    subject,
  )
  let failed = 0
  const queue = cases.values()
  const work = async (): Promise<void> => {
    for (const { name, run } of queue) {
      try {
        await run()
      } catch (error) {
        failed += 1
        onFailure(name, error)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { passed: cases.length - failed, failed }
}
