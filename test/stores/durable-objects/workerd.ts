import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import type { RecordsNamespace } from '../../../src/stores/durable-objects.ts'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../../tools/durable-objects/', import.meta.url))

interface Runtime {
  readonly ready: Promise<URL>
  dispose(): Promise<void>
}

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
  await installed
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    conditions: ['workerd', 'worker'],
    external: ['node:*', 'cloudflare:*'],
    write: false,
  })
  // Installed just now, apart from the packages whose types are known.
  const { Miniflare } = createRequire(`${folder}package.json`)('miniflare') as {
    Miniflare: new (options: object) => Runtime
  }
  const runtime = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    modules: true,
    script: outputFiles[0]?.text,
    compatibilityDate: '2026-07-01',
    compatibilityFlags: ['nodejs_compat'],
    durableObjects: { HAPAX: { className: 'TestRecords', useSQLite } },
    ...(kept !== undefined && { durableObjectsPersist: kept }),
  })
  return { url: (await runtime.ready).origin, stop: () => runtime.dispose() }
}

const installed = run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })

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
