import type { Inspection } from '../../core/store.ts'
import type { Inspecting } from './inspect.ts'

/** Loads what reads and settles records when an operator first asks for it: no request does. */
export function lateInspection(inspecting: Inspecting): Inspection {
  const loaded = async () => (await import('./inspect.ts')).inspectRedis(inspecting)
  return {
    list: async (query) => (await loaded()).list(query),
    get: async (id) => (await loaded()).get(id),
    forget: async (id) => (await loaded()).forget(id),
    settle: async (id, resolution) => (await loaded()).settle(id, resolution),
  }
}
