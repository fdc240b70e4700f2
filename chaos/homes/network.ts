import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '../../scripts/services/index.ts'

/** What a network does to connections, for any store that is reached through a proxy. */
export function networkFaults(proxy: TcpProxy): Readonly<Record<string, () => Promise<void>>> {
  return {
    'connections cut': async () => proxy.cut(),
    'connections reset': async () => proxy.reset(),
    'connections half open': async () => {
      proxy.goSilent()
      // Both ends think that the other lives; the client notices after its own time-out.
      await sleep(3_000)
    },
    'answers held back': async () => {
      proxy.holdAnswers()
      await sleep(600)
      proxy.cut()
      proxy.resume()
    },
    'answers late': async () => {
      for (let round = 0; round < 5; round += 1) {
        proxy.holdAnswers()
        await sleep(250)
        proxy.resume()
        await sleep(50)
      }
    },
    'store out of reach': async () => {
      proxy.shut()
      await sleep(1_000)
      proxy.open()
    },
  }
}
