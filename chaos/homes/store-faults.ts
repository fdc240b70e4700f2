import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '../../scripts/services/index.ts'

type Faults = Readonly<Record<string, () => Promise<void>>>

/** What a network does to connections, for any store that is reached through a proxy. */
export function networkFaults(proxy: TcpProxy): Faults {
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

interface BreakableServer {
  kill(): Promise<void>
  restart(): Promise<void>
  /** To every process of the server. */
  signalAll(signal: NodeJS.Signals): void
}

/** What happens to a store's server, for any that runs by itself. */
export function serverFaults(server: BreakableServer): Faults {
  return {
    'store killed': async () => {
      await server.kill()
      await sleep(700)
      await server.restart()
    },
    'store frozen': async () => {
      server.signalAll('SIGSTOP')
      await sleep(1_500)
      server.signalAll('SIGCONT')
    },
    'store restarted': () => server.restart(),
  }
}
