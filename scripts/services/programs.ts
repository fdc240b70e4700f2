// Finds a way to run a server's program: on this machine, else by Docker, else by apt where that is allowed.
import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Launcher } from './processes.ts'

export interface Program {
  /** The file to look for on the search path. */
  readonly file: string
  /** Debian's package that holds it. */
  readonly package: string
  /** A Docker image that runs it. */
  readonly image: string
  /** Where else it may lie than on the search path. */
  readonly folders?: readonly string[]
}

/** Nothing on this machine can run the server. Tests skip loudly then, but fail where `CI` is set. */
export class ServiceMissing extends Error {
  constructor(program: Pick<Program, 'file' | 'package'>) {
    super(
      `There is no ${program.file} on this machine, no Docker engine answers, and installing was not allowed. ` +
        `Install "${program.package}", or set HAPAX_INSTALL=1 to let apt do it (as root).`,
    )
    this.name = 'ServiceMissing'
  }
}

const launchers = new Map<string, Launcher>()

/** @throws {ServiceMissing} */
export function launcherFor(program: Program): Launcher {
  const known = launchers.get(program.file)
  if (known !== undefined) return known
  const found = find(program)
  launchers.set(program.file, found)
  return found
}

function find(program: Program): Launcher {
  const local = locate(program)
  if (local !== undefined) return runDirectly(local)
  if (dockerAnswers()) return runInDocker(program)
  if (mayInstall()) {
    install(program.package)
    const installed = locate(program)
    if (installed !== undefined) return runDirectly(installed)
  }
  throw new ServiceMissing(program)
}

/** The program's file on this machine, if it is there. */
export function locate(program: Pick<Program, 'file' | 'folders'>): string | undefined {
  const searched = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin']
  const folders = [...searched, ...globSync([...(program.folders ?? [])])]
  return folders.map((folder) => join(folder, program.file)).find((path) => existsSync(path))
}

function runDirectly(file: string): Launcher {
  return {
    command: (args) => ({ file, args }),
    signal: (child, signal) => void child.kill(signal),
  }
}

export function dockerAnswers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 5_000 }).status === 0
}

/** On the host's network, so that a cluster's nodes find each other under the addresses that clients use. */
function runInDocker(program: Program): Launcher {
  const nameOf = (child: ChildProcess) => names.get(child.spawnargs.join(' ')) ?? ''
  const names = new Map<string, string>()
  let count = 0
  return {
    command: (args, folder) => {
      count += 1
      const name = `hapax-${process.pid}-${program.file}-${count}`
      const run = [
        'run',
        '--rm',
        '--name',
        name,
        '--network',
        'host',
        '-v',
        `${folder}:${folder}`,
        '-w',
        folder,
      ]
      const command = [...run, '--entrypoint', program.file, program.image, ...args]
      names.set(['docker', ...command].join(' '), name)
      return { file: 'docker', args: command }
    },
    signal: (child, signal) => {
      spawnSync('docker', ['kill', '--signal', signal, nameOf(child)], { stdio: 'ignore', timeout: 10_000 })
    },
  }
}

/** A contributor must not meet apt in `npm test`: only CI, or a plain word, lets it run. */
export function mayInstall(): boolean {
  const allowed = Boolean(process.env['CI']) || process.env['HAPAX_INSTALL'] === '1'
  return allowed && process.getuid?.() === 0
}

/** Installs a package of Debian's. Waits for another apt that runs at the same time. */
export function install(name: string): void {
  aptGet('update')
  aptGet('install', '--yes', '--no-install-recommends', name)
}

function aptGet(...args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  for (let attempt = 1; ; attempt += 1) {
    const { status, stderr } = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
      env,
    })
    if (status === 0) return
    const words = stderr.toString()
    // The lock on the lists of packages knows no time-out of its own.
    if (attempt === 20 || !/lock/i.test(words)) {
      throw new Error(`apt-get ${args.join(' ')} failed: ${words}`)
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000)
  }
}
