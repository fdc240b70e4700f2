import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const run = promisify(execFile)

/** What is used of miniflare, whose types are not there before it is installed. */
export interface WorkerdRuntime {
  readonly ready: Promise<URL>
  unsafeGetDirectURL(worker: undefined, entrypoint: string): Promise<URL>
  dispose(): Promise<void>
}

/** Installs miniflare in a folder of `tools` that has a lock file of its own. */
export async function installTools(name: string): Promise<string> {
  const folder = fileURLToPath(new URL(`../../tools/${name}/`, import.meta.url))
  await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
  return folder
}

/** Starts workerd on a free port of this machine, with one Worker and what else miniflare is to be told. */
export async function startWorkerd(
  folder: string,
  worker: URL,
  options: Readonly<Record<string, unknown>>,
): Promise<WorkerdRuntime> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(worker)],
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
    Miniflare: new (options: object) => WorkerdRuntime
  }
  return new Miniflare({
    host: '127.0.0.1',
    port: 0,
    modules: true,
    script: outputFiles[0]?.text,
    compatibilityDate: '2026-07-01',
    compatibilityFlags: ['nodejs_compat', 'enable_request_signal'],
    ...options,
  })
}
