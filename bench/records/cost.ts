import { load } from '../load.ts'
import { progress } from '../progress.ts'
import { type Places, Served } from '../served.ts'
import type { Work } from '../variants.ts'

/** What a store's server is asked for a request, and keeps of it. Undefined: not there to measure. */
export interface RecordCost {
  readonly store: string
  readonly traffic: 'first' | 'replay'
  /** What a client sends for one request. */
  readonly commands: number | undefined
  /** Which they were, in the server's own words. */
  readonly counted: string
  readonly bytesToStore: number | undefined
  readonly bytesFromStore: number | undefined
  readonly bytesLogged: number | undefined
  readonly bytesKept: number | undefined
}

/** Runs `work` around an Express server with hapax on a store, which is warm: connected, its scripts loaded. */
export async function withGuarded<T>(
  store: Extract<Work, 'redis' | 'postgres' | 'sqlite'>,
  places: Partial<Places>,
  work: (send: (traffic: 'first' | 'replay', requests: number) => Promise<void>) => Promise<T>,
): Promise<T> {
  progress(`records: ${store}`)
  const program = { kind: 'ours', framework: 'express', work: store } as const
  const server = await Served.start(program, { file: '', redisUrl: '', postgresUrl: '', ...places })
  const send = async (traffic: 'first' | 'replay', requests: number) => {
    await load({ url: server.url, traffic, length: { requests }, connections: 8 })
  }
  try {
    await send('first', 200)
    return await work(send)
  } finally {
    await server.stop()
  }
}
