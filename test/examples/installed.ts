// Examples with a lock file of their own, installed and started as their README says.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds hapax, packs it into the example with `npm ci`, and returns a way to run commands there. */
export async function installExample(name: string) {
  const folder = `${root}/examples/${name}`
  await run(process.execPath, [`${root}/scripts/build.ts`], { cwd: root })
  await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
  return {
    folder,
    /** Rejects, with its output, where the command fails. */
    exec: async (command: readonly string[], env: Record<string, string> = {}): Promise<void> => {
      const [program = '', ...args] = command
      await run(program, args, { cwd: folder, env: { ...process.env, ...env } }).catch(
        (error: { message: string; stdout: string }) => {
          throw new Error(`${error.message}\n${error.stdout}`)
        },
      )
    },
    start: (args: readonly string[], env: Record<string, string>, ready: RegExp) =>
      startProcess(folder, args, env, ready),
  }
}

/** Starts Node with these arguments, and waits until its output shows that it listens. */
async function startProcess(
  cwd: string,
  args: readonly string[],
  env: Record<string, string>,
  ready: RegExp,
) {
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      if (ready.test(output)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', (code) => reject(new Error(`Ended with ${code} before it listened:\n${output}`)))
  })
  return {
    output: () => output,
    kill: async (): Promise<void> => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** One order under a key, as text, so that two answers can be compared. */
export async function order(url: string, key: string, item = 'book', signal?: AbortSignal) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Idempotency-Key': `"${key}"`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ item }),
    ...(signal !== undefined && { signal }),
  })
  return {
    status: response.status,
    body: await response.text(),
    replayed: response.headers.get('idempotent-replayed'),
    expires: response.headers.get('idempotency-expires') !== null,
  }
}
