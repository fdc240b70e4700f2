import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

export interface CliResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command line of `hapax` to its end, in a process of its own. */
export async function runCli(...options: readonly string[]): Promise<CliResult> {
  const child = startCli(...options)
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
  await closed
  return { exitCode: child.exitCode, stdout, stderr }
}

export function startCli(...options: readonly string[]): ChildProcess {
  return startCliIn(process.cwd(), ...options)
}

export function startCliIn(folder: string, ...options: readonly string[]): ChildProcess {
  return spawn(process.execPath, [main, ...options], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

function textOf(stream: ChildProcess['stdout']): Promise<string> {
  return stream === null ? Promise.resolve('') : text(stream)
}
