/** What compilers need to be done: on the bare floor, CPU time a request still fell until about 15,000. */
const compiledRequests = 20_000
/** A run that short is to see that the benchmark works, not how fast anything is. */
const shortRunRequests = 500
const shortWarmUpRequests = 1_000

/** How many requests each server gets before the first round that counts. */
export function warmUpRequests({
  requests,
  warmUp,
}: {
  requests: number
  warmUp: number | undefined
}): number {
  if (warmUp !== undefined) return warmUp
  return requests < shortRunRequests ? shortWarmUpRequests : compiledRequests
}
