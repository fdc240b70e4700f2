import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
// A context that is made after the flag was set has the function.
const gc: unknown = runInNewContext('gc')

export function collectGarbage(): void {
  if (typeof gc !== 'function') throw new Error('This runtime does not let a test collect garbage.')
  gc()
}
