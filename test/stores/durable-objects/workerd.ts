import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../../tools/durable-objects/', import.meta.url))

interface Runtime {
  readonly ready: Promise<URL>
  dispose(): Promise<void>
}

/** Starts workerd on a free port of this machine with the Worker beside this file. `kept`: a folder for the objects. */
export async function startWorkerd(kept?: string): Promise<{ url: string; stop(): Promise<void> }> {
  await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
  // Installed just now, apart from the packages that types are known of.
  const { Miniflare } = createRequire(`${folder}package.json`)('miniflare') as {
    Miniflare: new (options: object) => Runtime
  }
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
  const runtime = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    modules: true,
    script: outputFiles[0]?.text,
    compatibilityDate: '2026-07-01',
    compatibilityFlags: ['nodejs_compat'],
    durableObjects: { HAPAX: { className: 'TestRecords', useSQLite: true } },
    ...(kept !== undefined && { durableObjectsPersist: kept }),
  })
  return { url: (await runtime.ready).origin, stop: () => runtime.dispose() }
}
