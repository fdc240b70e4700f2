import type { Word } from './intent.ts'

export interface Moment {
  served: number
  refused: number
  unanswered: number
}

export interface Mark {
  readonly atMs: number
  readonly what: string
}

const widthMs = 100

/** What was answered in each tenth of a second, and what happened then. */
export class Timeline {
  readonly widthMs = widthMs
  readonly moments: Moment[] = []
  readonly marks: Mark[] = []
  readonly #startMs = performance.now()

  get nowMs(): number {
    return performance.now() - this.#startMs
  }

  mark(what: string): void {
    this.marks.push({ atMs: Math.round(this.nowMs), what })
  }

  add(word: Word): void {
    const moment = this.#now()
    if (word === 'success') moment.served += 1
    else if (word === 'no-answer') moment.unanswered += 1
    else moment.refused += 1
  }

  #now(): Moment {
    const index = Math.floor(this.nowMs / widthMs)
    while (this.moments.length <= index) this.moments.push({ served: 0, refused: 0, unanswered: 0 })
    const moment = this.moments[index]
    if (moment === undefined) throw new Error('Unreachable: the moment was made above.')
    return moment
  }
}
