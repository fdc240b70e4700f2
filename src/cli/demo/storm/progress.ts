/** What the progress line tells. */
export interface Watched {
  readonly finished: number
  readonly intents: number
  readonly killed: number
  readonly seconds: number
}

/** Shows progress until `end`: one line in place on a terminal, a line for each tenth elsewhere. */
export function showProgress(watched: Watched): { end(): void } {
  return process.stdout.isTTY ? inPlace(watched) : tenths(watched)
}

function inPlace(watched: Watched): { end(): void } {
  const show = (): void => void process.stdout.write(`\r${lineOf(watched)}\u001b[K`)
  const timer = setInterval(show, 100)
  return {
    end() {
      clearInterval(timer)
      process.stdout.write('\r\u001b[K')
    },
  }
}

function tenths(watched: Watched): { end(): void } {
  let shown = -1
  const timer = setInterval(() => {
    const tenth = Math.floor((watched.finished / watched.intents) * 10)
    if (tenth === shown) return
    shown = tenth
    process.stdout.write(`${lineOf(watched)}\n`)
  }, 100)
  return { end: () => clearInterval(timer) }
}

function lineOf({ finished, intents, killed, seconds }: Watched): string {
  const kill = killed === 0 ? '' : ', one server killed'
  return `${finished} of ${intents} purchases in both shops${kill}, ${seconds.toFixed(1)} s`
}
