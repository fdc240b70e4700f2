import { ServerClock } from './server-clock.ts'

/** A server's clock as seen from here, which does not go back when a reply was slow: only when it was wrong. */
export class ForwardServerClock {
  readonly #clock = new ServerClock()

  now(): number {
    return this.#clock.now()
  }

  learn(serverMs: number): void {
    if (serverMs > this.#clock.now()) this.#clock.learn(serverMs)
  }

  set(serverMs: number): void {
    this.#clock.learn(serverMs)
  }
}
