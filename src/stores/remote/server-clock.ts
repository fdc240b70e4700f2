/**
 * The server's clock, as seen from here: what the server said last, plus the time that has passed. Until the
 * server has said anything, this machine's clock stands in for it; a claim that is refused for that reason
 * brings the right time with it.
 */
export class ServerClock {
  #offsetMs = Date.now() - performance.now()

  now(): number {
    return performance.now() + this.#offsetMs
  }

  /** `serverMs`: the time in a reply that has just arrived. It is late by the reply's way, never early. */
  learn(serverMs: number): void {
    this.#offsetMs = serverMs - performance.now()
  }
}
