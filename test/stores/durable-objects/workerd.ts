import type { RecordsNamespace } from '../../../src/stores/durable-objects.ts'
import { installTools, startWorkerd as startRuntime } from '../../support/workerd.ts'

export interface Workerd {
  readonly url: string
  stop(): Promise<void>
}

/** Where the objects lie, if they outlive the runtime, and the storage of their class. */
export interface Objects {
  readonly kept?: string
  readonly useSQLite?: boolean
}

/** Starts workerd on a free port of this machine, with the Worker beside this file. */
export async function startWorkerd({ kept, useSQLite = true }: Objects = {}): Promise<Workerd> {
  const runtime = await startRuntime(await installed, new URL('worker.ts', import.meta.url), {
    durableObjects: { HAPAX: { className: 'TestRecords', useSQLite } },
    ...(kept !== undefined && { durableObjectsPersist: kept }),
  })
  return { url: (await runtime.ready).origin, stop: () => runtime.dispose() }
}

const installed = installTools('durable-objects')

/** The objects as a store in this process reaches them, through the Worker. `place` keeps tests apart. */
export function namespaceOf({ url }: Workerd, place: string): RecordsNamespace {
  return {
    idFromName: (name) => `${place} ${name}`,
    get: (id) => ({
      // Only a Worker can open a WebSocket to an object.
      fetch: (_, init) => askObject(url, String(id), '', 'body' in init ? init.body : undefined),
    }),
  }
}

export async function askObject(
  url: string,
  name: string,
  path: string,
  body?: ArrayBuffer,
): Promise<Response> {
  const reply = await fetch(`${url}/object?${new URLSearchParams({ name, path }).toString()}`, {
    method: 'POST',
    body: body ?? null,
  })
  if (reply.status !== 200) throw new Error(await reply.text())
  return reply
}
