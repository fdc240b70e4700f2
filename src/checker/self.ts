import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CannotTest } from './cannot-test.ts'
import { isObject, parseJson } from './json.ts'
import { type CheckOptions, type CheckReport, type Progress, runCheck } from './run.ts'

/**
 * Checks the reference server, which must pass every row: it runs as a process of its own, so that it can be
 * stopped, killed and restarted. `words` start this command again.
 */
export async function checkSelf(
  words: readonly string[],
  options: Partial<CheckOptions>,
  onProgress?: (progress: Progress) => void,
): Promise<CheckReport> {
  const directory = mkdtempSync(join(tmpdir(), 'hapax-check-'))
  const server = new ReferenceProcess(words, directory)
  try {
    const [first, second, third] = await server.start()
    const base = `http://127.0.0.1:${first}`
    const storeSwitch = (down: number) => async (): Promise<void> => {
      await fetch(`${base}/admin/store?down=${down}`)
    }
    return await runCheck(
      {
        url: `${base}/op`,
        fixture: true,
        headers: ['Authorization: Bearer tenant-a'],
        secondTenant: 'Authorization: Bearer tenant-b',
        secondCredential: 'Authorization: Bearer tenant-a-2',
        secondUrl: `http://127.0.0.1:${second}/op`,
        http2Url: `http://127.0.0.1:${third}/op`,
        docs: `${base}/docs`,
        profile: 'full',
        maxEffects: 2000,
        longMs: [6000],
        hooks: {
          restart: async () => {
            await server.stop('SIGTERM')
            await server.start()
          },
          kill: () => server.stop('SIGKILL'),
          terminate: () => server.stop('SIGTERM'),
          start: async () => {
            await server.start()
          },
          storeDown: storeSwitch(1),
          storeUp: storeSwitch(0),
        },
        ...options,
      },
      onProgress,
    )
  } finally {
    await server.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}

class ReferenceProcess {
  readonly #words: readonly string[]
  readonly #directory: string
  #child: ChildProcess | undefined
  #ports: readonly number[] = [0, 0, 0]

  constructor(words: readonly string[], directory: string) {
    this.#words = words
    this.#directory = directory
  }

  /** Starts it, on the same ports as before if there was a before. */
  async start(): Promise<readonly number[]> {
    const [program = '', ...rest] = this.#words
    const own = ['--reference', '--auth', '--directory', this.#directory, '--ports', this.#ports.join(',')]
    const child = spawn(program, [...rest, ...own], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    this.#ports = await readPorts(child)
    return this.#ports
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }
}

function readPorts(child: ChildProcess): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new CannotTest('The reference server did not start.'))
    child.once('error', failed)
    child.once('exit', failed)
    if (child.stdout === null) return failed()
    createInterface(child.stdout).once('line', (line) => {
      const json = parseJson(line)
      const ports = isObject(json) && Array.isArray(json['ports']) ? json['ports'].map(Number) : undefined
      child.off('exit', failed)
      if (ports === undefined) failed()
      else resolve(ports)
    })
  })
}
