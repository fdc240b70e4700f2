import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPlace, destroyPlace, type Place } from './places.ts'

const recorder = fileURLToPath(new URL('./children/recorder.ts', import.meta.url))

let place: Place

beforeEach(() => {
  place = createPlace(tmpdir())
})

afterEach(() => destroyPlace(place))

test('by the system calls of a real process, no answer leaves before a sync that began after its last write', ({
  skip,
}) => {
  if (spawnSync('strace', ['-V']).status !== 0)
    return skip('needs strace; log-sync.test.ts stands for it elsewhere')
  const trace = join(place.folder, 'trace')
  const options = ['-f', '-y', '-qq', '-s', '8', '-e', 'trace=pwrite64,fsync,fdatasync,write', '-o', trace]
  // One request at a time, so that an answer can only be to the writes before it.
  const child = [process.execPath, recorder, place.file, 'k', '1', '40']
  const { status, stdout } = spawnSync('strace', [...options, ...child], { encoding: 'utf8' })
  expect({ status, answers: stdout.trim().split('\n').length }).toEqual({ status: 0, answers: 40 })
  const order = orderOf(readFileSync(trace, 'utf8'))
  expect(order.match(/A/g)).toHaveLength(40)
  // After a write of the log there is a sync, begun and returned, before the next answer.
  expect(order).not.toMatch(/W[^S]*A/)
  expect(order).not.toMatch(/S[^R]*A/)
})

/** W: the log was written. S and R: a sync of it began, and returned. A: an answer. */
function orderOf(trace: string): string {
  const syncing = new Set<string>()
  let order = ''
  for (const line of trace.split('\n')) {
    const [thread = ''] = line.split(' ', 1)
    if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) order += 'W'
    else if (/f(data)?sync\(\d+<[^>]*-wal>/.test(line)) {
      order += line.includes('unfinished') ? 'S' : 'SR'
      if (line.includes('unfinished')) syncing.add(thread)
    } else if (/f(data)?sync resumed/.test(line) && syncing.delete(thread)) order += 'R'
    else if (/ write\(1</.test(line)) order += 'A'
  }
  return order
}
