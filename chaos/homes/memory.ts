import type { Home } from './home.ts'

export async function memoryHome(): Promise<Home> {
  return {
    name: 'memory',
    address: 'memory',
    version: `Node ${process.version}`,
    processes: 1,
    faults: {},
    stop: async () => {},
  }
}
