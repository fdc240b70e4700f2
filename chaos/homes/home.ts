/** Where records live during a run: real servers, and the ways in which they can be broken. */
export interface Home {
  readonly name: HomeName
  /** What the fleet's servers open. */
  readonly address: string
  readonly version: string
  /** How many server processes can share it. */
  readonly processes: number
  /** Breaks the store and mends it again; resolves once it is mended. */
  readonly faults: Readonly<Record<string, () => Promise<void>>>
  stop(): Promise<void>
}

export type HomeName = 'memory' | 'sqlite' | 'redis' | 'sentinel' | 'cluster' | 'postgres'

export interface HomeOptions {
  /** A folder of little space, where the fault asks for a full disk. */
  readonly smallDisk?: string
}
