import type { Fleet } from '../fleet/fleet.ts'
import type { Home } from '../homes/home.ts'
import type { SmallDisk } from './small-disk.ts'

export interface World {
  readonly home: Home
  readonly fleet: Fleet
  readonly disk: SmallDisk | undefined
  readonly leaseMs: number
  /** From 0 to 1, and the same for the same seed. */
  readonly random: () => number
  readonly idleClients: number
  /** The environment of the release that a rolling deploy brings. */
  readonly nextSetup: Readonly<Record<string, string>>
}

/** Breaks something and mends it again; resolves once it is mended. */
export type Fault = (world: World) => Promise<void>
