import type { WriteStream } from 'node:tty'
import type { Case } from './model.ts'
import type { Progress } from './run.ts'

/** Shows how far a run is: one line that changes on a terminal, a line for each row elsewhere. */
export function progressTo(stream: WriteStream | NodeJS.WriteStream): (progress: Progress) => void {
  return stream.isTTY ? live(stream) : lineByLine(stream)
}

function live(stream: NodeJS.WriteStream): (progress: Progress) => void {
  const running = new Map<string, Case>()
  let done = 0
  return (progress) => {
    if (progress.kind === 'started') running.set(progress.case.id, progress.case)
    if (progress.kind === 'finished') {
      running.delete(progress.result.case.id)
      done = progress.done
    }
    if (progress.kind === 'discovered') return
    const names = [...running.keys()].join(' ')
    const text = `${done} rows done${names === '' ? '' : `, running ${names}`}`.slice(
      0,
      (stream.columns ?? 80) - 1,
    )
    stream.write(`\r\u001b[K${text}`)
    if (progress.kind === 'finished' && progress.done === progress.total) stream.write('\r\u001b[K')
  }
}

function lineByLine(stream: NodeJS.WriteStream): (progress: Progress) => void {
  return (progress) => {
    if (progress.kind === 'discovered') stream.write(`hapax check: ${progress.total} rows\n`)
    if (progress.kind === 'finished') {
      const { result, done, total } = progress
      stream.write(`${String(done).padStart(3)}/${total} ${result.case.id} ${result.verdict}\n`)
    }
  }
}
