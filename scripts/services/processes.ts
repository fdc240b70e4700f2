// Server processes for tests and benchmarks: each in a temporary folder, on loopback, and stopped by its pid.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How to run a server's program: as it lies on this machine, or inside a container. */
export interface Launcher {
  /** What to spawn for `program` with `args`, when the server's files are in `folder`. */
  command(args: readonly string[], folder: string): SpawnCommand
  /** Delivers a signal to the server itself, which need not be the process that was spawned. */
  signal(child: ChildProcess, signal: NodeJS.Signals): void
}

export interface SpawnCommand {
  readonly file: string
  readonly args: readonly string[]
  /** Whom to run it as; default: whoever runs this. */
  readonly identity?: Identity
  /** Variables to set besides those of this process. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface Identity {
  readonly uid: number
  readonly gid: number
}

export interface ServerProcess {
  readonly folder: string
  readonly pid: number | undefined
  signal(signal: NodeJS.Signals): void
  /** True while the spawned process lives. */
  readonly running: boolean
  /** Kills the server without a chance to say goodbye, and waits until it is gone. */
  kill(): Promise<void>
  /** What the server wrote, for messages about a start that failed. */
  readonly output: () => string
}

const folders = new Set<string>()

process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** @param parent Default: where this machine keeps temporary files. */
export function temporaryFolder(name: string, parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, `hapax-${name}-`))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  folders.delete(folder)
  rmSync(folder, { recursive: true, force: true })
}

export function spawnServer(launcher: Launcher, args: readonly string[], folder: string): ServerProcess {
  const command = launcher.command(args, folder)
  const child = spawn(command.file, command.args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...command.environment },
    ...command.identity,
  })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-8_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.on('error', (error) => {
    output += error.message
  })
  // A server must not keep a finished test run alive.
  child.unref()

  const server: ServerProcess = {
    folder,
    pid: child.pid,
    get running() {
      return child.exitCode === null && child.signalCode === null && child.pid !== undefined
    },
    signal: (signal) => {
      if (server.running) launcher.signal(child, signal)
    },
    kill: async () => {
      if (!server.running) return
      const gone = once(child, 'exit')
      child.ref()
      launcher.signal(child, 'SIGKILL')
      await gone
    },
    output: () => output,
  }
  if (child.pid !== undefined) outliveNobody(child, child.pid, folder)
  return server
}

/**
 * A shell that waits for the end of this process, however it ends, and then ends the server: test runners kill
 * their workers without a chance to clean up.
 */
function outliveNobody(child: ChildProcess, pid: number, folder: string): void {
  const guard = spawn('sh', ['-c', `read -r line || { kill -9 ${pid}; rm -rf "${folder}"; }`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Ctrl-C reaches a whole process group, and the guard must be the last to go.
    detached: true,
  })
  guard.on('error', () => {})
  guard.stdin.on('error', () => {})
  guard.unref()
  // A child's pipe would keep this process alive.
  Reflect.get(guard.stdin, 'unref')?.call(guard.stdin)
  // The server is gone, and another process may get its number.
  child.once('exit', () => guard.stdin.end('\n'))
}

/** Whom to run a program as that refuses to run as root. Undefined where this process is not root's. */
export function unprivileged(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody')
  if (entry === undefined)
    throw new Error('This program does not run as root, and there is no other user to run it as.')
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** A port of the loopback interface that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(lowestPort, lowestEphemeralPort)
    if (await isFree(port)) return port
  }
  throw new Error('No free port was found.')
}

/** Systems give ports from here on to connections, and to servers that ask for any: such a one may be gone before it is used. */
const lowestEphemeralPort = 32_768
const lowestPort = 20_000

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Tries `ready` until it resolves to true. Throws with the server's own words when it never does. */
export async function waitUntil(
  what: string,
  ready: () => Promise<boolean>,
  options: { timeoutMs?: number; output?: () => string } = {},
): Promise<void> {
  const giveUpAtMs = performance.now() + (options.timeoutMs ?? 20_000)
  let lastError: unknown
  while (performance.now() < giveUpAtMs) {
    try {
      if (await ready()) return
    } catch (error) {
      lastError = error
    }
    await sleep(20)
  }
  throw new Error(`${what} did not happen in time. ${options.output?.() ?? ''}`, { cause: lastError })
}
