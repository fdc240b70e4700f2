import { setTimeout as sleep } from 'node:timers/promises'
import type { Sample } from './server.ts'
import { Subject } from './subject.ts'
import { startTraffic } from './traffic.ts'
import { type Course, judge, type Verdict } from './verdict.ts'

export interface SoakResult {
  readonly store: string
  readonly isFlat: boolean
  readonly verdicts: readonly Verdict[]
  /** Every figure at every sample, by its name. */
  readonly courses: Readonly<Record<string, readonly number[]>>
  readonly requests: number
  readonly answers: Readonly<Record<string, number>>
  readonly hangUps: number
  readonly wrong: readonly string[]
  readonly samples: number
  readonly last: Sample
}

interface SoakOptions {
  readonly store: string
  readonly url: string
  readonly durationMs: number
  readonly everyMs: number
}

/** Sends steady traffic to a server of its own, and judges what the server tells of itself. */
export async function soak({ store, url, durationMs, everyMs }: SoakOptions): Promise<SoakResult> {
  const subject = await Subject.start(store, url)
  try {
    const traffic = startTraffic(subject.port)
    const samples: Sample[] = []
    const endMs = performance.now() + durationMs
    while (performance.now() < endMs) {
      await sleep(everyMs)
      samples.push(await subject.sample())
    }
    const { answers, hangUps, wrong: wrongAnswers } = await traffic.stop()
    const measured = coursesOf(samples)
    const verdicts = measured.map(judge)
    const courses = Object.fromEntries(measured.map(({ name, values }) => [name, values]))
    const last = samples.at(-1)
    if (last === undefined) throw new RangeError('There was no time for a sample: let it run longer.')
    const { failures } = last
    const wrong = failures === 0 ? wrongAnswers : [...wrongAnswers, `${failures} handlers failed`]
    const requests = Object.values(answers).reduce((sum, count) => sum + count, 0)
    const isFlat = verdicts.every((verdict) => verdict.isFlat)
    return {
      store,
      isFlat,
      verdicts,
      courses,
      requests,
      answers,
      hangUps,
      wrong,
      samples: samples.length,
      last,
    }
  } finally {
    await subject.stop()
  }
}

const mebibyte = 1024 * 1024

/**
 * RSS is what the allocator holds: it moves in steps of tens of MiB that no heap explains, and shows large leaks only.
 * Records follow the traffic, which follows what else the machine does; a store that forgets nothing doubles them.
 */
function coursesOf(samples: readonly Sample[]): readonly Course[] {
  return [
    course('heap after GC', ({ heapBytes }) => heapBytes, { share: 0.05, absolute: mebibyte }),
    course('outside the heap', ({ outsideHeapBytes }) => outsideHeapBytes, {
      share: 0.1,
      absolute: mebibyte,
    }),
    course('RSS', ({ rssBytes }) => rssBytes, { share: 0.25, absolute: 64 * mebibyte }),
    course('handles and timers', ({ resources }) => resources, { share: 0.1, absolute: 8 }),
    course('records', ({ records }) => records, { share: 0.4, absolute: 150 }),
  ]

  function course(name: string, of: (sample: Sample) => number, allowed: Course['allowed']): Course {
    return { name, values: samples.map(of), allowed }
  }
}
