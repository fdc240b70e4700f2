// One store, one fault: a fleet under load, the fault in its middle, and an account of what happened.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { removeFolder, temporaryFolder } from '../scripts/services/processes.ts'
import type { NamedFault } from './faults/index.ts'
import { mountSmallDisk, type SmallDisk } from './faults/small-disk.ts'
import { type Fleet, startFleet } from './fleet/fleet.ts'
import { type ServerSetup, setupVariable } from './fleet/setup.ts'
import type { Home, HomeName } from './homes/home.ts'
import { homes } from './homes/index.ts'
import { newIntent } from './load/intent.ts'
import { askAgain, type Load, settle, startLoad } from './load/load.ts'
import { Sender } from './load/sender.ts'
import { Timeline } from './load/timeline.ts'
import { randomFrom } from '../src/cli/demo/storm/plan.ts'
import { type Account, type Finding, judge } from './verdict.ts'

export interface CellOptions {
  readonly home: HomeName
  readonly fault: NamedFault
  readonly seed: number
  /** The load before the fault, and again after it. */
  readonly calmMs: number
  readonly clients: number
  readonly idleClients: number
  /** A server of `bench/peers/servers` to judge instead of hapax, or `none`: no middleware at all. */
  readonly library: string
  /** The folder of an unpacked release that the fleet begins with, until a rolling deploy brings these sources. */
  readonly previousRelease?: string
}

export interface CellResult {
  readonly library: string
  readonly store: HomeName
  readonly version: string
  readonly fault: string
  readonly seed: number
  readonly account: Account
  readonly findings: readonly Finding[]
  readonly timeline: Pick<Timeline, 'widthMs' | 'moments' | 'marks'>
}

const leaseMs = 1_000
const storeTimeoutMs = 1_000
const handlerMs = 3
/** The longest that a key may stay open once everything works again: its lease, and what a slow machine adds. */
const patienceMs = 10_000

/** @throws Error When the parts could not be started, or the fault could not be brought about. */
export async function runCell(options: CellOptions): Promise<CellResult> {
  const { fault } = options
  const megabytes = fault.smallDisk?.[options.home]
  const disk = megabytes === undefined ? undefined : mountSmallDisk(megabytes)
  try {
    const home = await homes[options.home](disk === undefined ? {} : { smallDisk: disk.folder })
    try {
      return await runOn(home, disk, options)
    } finally {
      await home.stop()
    }
  } finally {
    disk?.remove()
  }
}

async function runOn(home: Home, disk: SmallDisk | undefined, options: CellOptions): Promise<CellResult> {
  const folder = temporaryFolder('chaos-ledger')
  const ledger = join(folder, 'ledger')
  const setup: ServerSetup = { store: home.address, leaseMs, storeTimeoutMs, handlerMs }
  const first: ServerSetup = {
    ...setup,
    ...(options.previousRelease !== undefined && { release: options.previousRelease }),
  }
  const fleet = await startFleet({
    processes: home.processes,
    program: programOf(options.library),
    environment: { LEDGER: ledger, REDIS_URL: home.address, ...environmentOf(first) },
  })
  try {
    return await observe({ home, disk, fleet, nextSetup: environmentOf(setup), ledger }, options)
  } finally {
    await fleet.stop()
    removeFolder(folder)
  }
}

interface Site {
  readonly home: Home
  readonly disk: SmallDisk | undefined
  readonly fleet: Fleet
  readonly nextSetup: Readonly<Record<string, string>>
  readonly ledger: string
}

async function observe(site: Site, options: CellOptions): Promise<CellResult> {
  const { home, fleet, ledger } = site
  const random = randomFrom(options.seed)
  const timeline = new Timeline()
  const ports = fleet.members.map(({ port }) => port)
  const sender = new Sender(ports, timeline, random)
  // The first request of each server compiles its code: that is not what the fault is about.
  await askAgain(sender, ports.map(newIntent))
  const load = startLoad(sender, options.clients, random)
  await sleep(options.calmMs)
  timeline.mark('broken')
  await options.fault.inject({ ...site, leaseMs, random, idleClients: options.idleClients })
  timeline.mark('mended')
  const recoveryMs = await untilServed(sender, ports)
  await sleep(options.calmMs)
  const account = await close(load, sender, { recoveryMs, fleet, ledger })
  return {
    library: options.library,
    store: options.home,
    version: home.version,
    fault: options.fault.name,
    seed: options.seed,
    account,
    findings: judge(account, options),
    timeline,
  }
}

async function close(
  load: Load,
  sender: Sender,
  seen: { recoveryMs: number; fleet: Fleet; ledger: string },
): Promise<Account> {
  await load.stop()
  // What the clients of the load met; the questions below come after it.
  const { slowestAnswerMs } = sender
  const stuck = await settle(sender, load.intents, patienceMs)
  await askAgain(sender, load.intents)
  const effects = effectsIn(seen.ledger)
  const { intents } = load
  return {
    requests: sender.requests,
    duplicates: sender.duplicates,
    intents: intents.length,
    words: Object.fromEntries(sender.words),
    secondEffects: intents.reduce((sum, { marker }) => sum + Math.max(0, (effects.get(marker) ?? 0) - 1), 0),
    untrue: intents.filter(({ marker, receipt }) => receipt !== undefined && !effects.has(marker)).length,
    contradictions: intents.flatMap(({ contradictions }) => contradictions),
    notKept: intents.filter(({ isForgotten }) => isForgotten).length,
    unknown: intents.filter(({ settled }) => settled === 'outcome-unknown').length,
    stuck: stuck.length,
    slowestAnswerMs: Math.round(slowestAnswerMs),
    recoveryMs: Math.round(seen.recoveryMs),
    crashes: seen.fleet.members.flatMap(({ crashes }) => crashes),
  }
}

/** How long it takes until every server has served a fresh request. */
async function untilServed(sender: Sender, ports: readonly number[]): Promise<number> {
  const startMs = performance.now()
  await Promise.all(
    ports.map(async (port) => {
      while ((await sender.send(newIntent(), port)) !== 'success') {
        if (performance.now() - startMs > patienceMs) return
        await sleep(20)
      }
    }),
  )
  return performance.now() - startMs
}

function effectsIn(ledger: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const marker of readFileSync(ledger, 'utf8').split('\n')) {
    if (marker !== '') counts.set(marker, (counts.get(marker) ?? 0) + 1)
  }
  return counts
}

function environmentOf(setup: ServerSetup): Record<string, string> {
  return { [setupVariable]: JSON.stringify(setup) }
}

function programOf(library: string): string {
  const path =
    library === 'hapax'
      ? 'fleet/server.ts'
      : library === 'none'
        ? 'fleet/bare-server.ts'
        : `../bench/peers/servers/${library}.mjs`
  return fileURLToPath(new URL(path, import.meta.url))
}
