/** Far above what linear work takes on a busy machine, and far below what quadratic work takes on 8 KiB. */
const fixedMs = 10
const perByteMs = 0.002
const attempts = 5

/** Runs `work`, and throws where it takes longer than a time that grows with the input's length only. */
export function inLinearTime<T>(bytes: number, work: () => T): T {
  const limitMs = fixedMs + bytes * perByteMs
  let fastestMs = Number.POSITIVE_INFINITY
  // The best of some: other work on the machine, and the garbage collector, count too.
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const startMs = performance.now()
    const result = work()
    fastestMs = Math.min(fastestMs, performance.now() - startMs)
    if (fastestMs <= limitMs) return result
  }
  throw new Error(`${bytes} bytes took ${fastestMs.toFixed(1)} ms, which is above ${limitMs.toFixed(1)} ms.`)
}
