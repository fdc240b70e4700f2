import type { Witness } from './target.ts'

/** What the checker found out about the target before the cases ran, and what they add on the way. */
export type Facts = {
  witness: Witness | undefined
  witnessGuessed: boolean
  keyForm: 'quoted' | 'raw'
  /** Whether a bare, unquoted key is taken. */
  rawKeys: boolean
  keyRequired: boolean
  /** The base of an HTTP/2 connection, when the target speaks it. */
  http2: URL | undefined
  /** How long one ordinary request takes. */
  requestMs: number
  /** How long the slow operation really takes, and whether two of them run side by side. */
  slowMs: number | undefined
  serial: boolean
  /** It stopped taking connections while rows ran that do not stop it. */
  stopped: boolean
  /** Body changed in one value, still accepted by the target; found on first use. */
  change: ((body: Buffer) => Buffer) | undefined
}
