// Lives through a plan, from the first request to the last answer after everything has healed.

import type { HistoryEntry, Terms } from '../checker/history.ts'
import { recordId } from '../../../src/protocol/identity.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { Flaws } from '../seeded-bugs.ts'
import { Client } from './client.ts'
import { JournalDatabase } from './journal-database.ts'
import type { Fault, Intent, Plan } from './plan.ts'
import { Server } from './server.ts'
import { type StoreFactory, StoreMachine } from './store-machine.ts'
import { World } from './world.ts'

/** What is put to the test: a store, and for seeded bugs what is wrong around it. */
export interface Subject {
  readonly store: StoreFactory
  readonly flaws: Flaws
}

export const realSubject: Subject = { store: (clock) => memoryStore({ clock }), flaws: {} }

export interface Simulated {
  readonly history: readonly HistoryEntry[]
  readonly terms: Terms
  readonly faults: ReadonlyMap<string, number>
  readonly messageFaults: readonly string[]
  readonly events: number
  /** Defects that no promise is needed for: errors that nobody expects, requests without an answer. */
  readonly surprises: readonly string[]
}

const maxEvents = 100_000

export async function simulate(
  plan: Plan,
  subject: Subject,
  tell?: (line: string) => void,
): Promise<Simulated> {
  const world = new World(plan, tell)
  const machine = new StoreMachine(world, subject.store)
  const database = new JournalDatabase(world)
  const servers = Array.from(
    { length: plan.processes },
    (_, index) => new Server(world, machine, database, index, subject.flaws),
  )
  const clients = plan.intents.map(
    (intent) => new Client(world, servers, intent, `client ${intent.index + 1}`),
  )
  for (const client of clients) client.start()
  for (const fault of plan.faults) {
    world.scheduler.at(fault.atMs, () => strike({ world, machine, database, servers }, fault))
  }
  const lastMs = Math.max(plan.healMs, ...plan.intents.map(({ atMs }) => atMs))
  const quietMs = lastMs + plan.maxRunMs + plan.leaseMs * 8 + plan.network.lateMs
  const probes = probesOf(plan, quietMs).map((intent) => new Client(world, servers, intent, 'probe'))
  for (const probe of probes) probe.start()
  const all = [...clients, ...probes]
  const rested = await world.scheduler.runUntil(
    () => all.every((client) => client.resting),
    quietMs * 4 + 10_000_000,
    maxEvents,
  )
  if (!rested) world.surprises.push(`after ${world.scheduler.events} events the clients were still waiting`)
  else await end(world, servers)
  return {
    history: world.history,
    terms: termsOf(plan),
    faults: world.faults,
    messageFaults: world.messageFaults,
    events: world.scheduler.events,
    surprises: world.surprises,
  }
}

async function end(world: World, servers: readonly Server[]): Promise<void> {
  const { scheduler, plan } = world
  const unanswered = () =>
    servers.flatMap(({ life }) => [...(life?.exchanges ?? [])]).filter(({ hangs }) => !hangs)
  // A client may have left while its handler works.
  const limitMs = scheduler.nowMs + plan.workMs * 2 + plan.waitMs + plan.leaseMs * 2 + plan.storeTimeoutMs * 4
  await scheduler.runUntil(() => unanswered().length === 0, limitMs, scheduler.events + maxEvents)
  for (const { number } of unanswered()) world.surprises.push(`request ${number} never got an answer`)
  if (!(await closesAll(world, servers))) world.surprises.push('an engine did not close within its grace')
}

/** The servers end as they should, and so show that their engines can. */
async function closesAll({ scheduler, plan }: World, servers: readonly Server[]): Promise<boolean> {
  let open = 0
  for (const { life } of servers) {
    if (life === undefined) continue
    open += 1
    void life.engine.close({ graceMs: plan.leaseMs }).then(() => (open -= 1))
  }
  const limitMs = scheduler.nowMs + plan.leaseMs * 4 + plan.storeTimeoutMs * 4
  return scheduler.runUntil(() => open === 0, limitMs, scheduler.events + maxEvents)
}

/** After everything has healed, somebody asks for each thing once more, and must get an answer. */
function probesOf({ intents, leaseMs }: Plan, atMs: number): Intent[] {
  const wanted = new Map(intents.map((intent) => [`${intent.key} ${intent.payload}`, intent]))
  return [...wanted.values()].map(({ index, key, payload }) => ({
    index: 100 + index,
    key,
    payload,
    copies: 1,
    attempts: 8,
    patienceMs: leaseMs * 4,
    atMs: atMs + index,
  }))
}

interface Scene {
  readonly world: World
  readonly machine: StoreMachine
  readonly database: JournalDatabase
  readonly servers: readonly Server[]
}

function strike({ world, machine, database, servers }: Scene, fault: Fault): void {
  const server = 'process' in fault ? servers[fault.process] : undefined
  switch (fault.kind) {
    case 'crash':
      world.fault('crash')
      return server?.crash(fault.downMs)
    case 'shutdown':
      world.fault('shutdown')
      return void server?.shutdown(fault.graceMs, fault.downMs)
    case 'stall':
      world.fault(
        fault.suspended ? 'suspended process' : 'stalled process',
        () => `${server?.name} stalls for ${fault.forMs} ms`,
      )
      return server?.stall(fault.forMs, fault.suspended)
    case 'process-clock':
      world.fault('clock of a process', () => `${server?.name}'s clock moves by ${fault.byMs} ms`)
      return server?.moveClock(fault.byMs)
    case 'partition':
      world.fault('partition', () => `${server?.name} is cut off from the store for ${fault.forMs} ms`)
      return server?.partition(fault.forMs)
    case 'store-clock':
      world.fault('clock of the store', () => `the store's clock moves by ${fault.byMs} ms`)
      return machine.moveClock(fault.byMs)
    case 'store-stall':
      world.fault('stalled store', () => `the store stalls for ${fault.forMs} ms`)
      return machine.stall(fault.forMs)
    case 'store-down':
      world.fault('store down', () => `the store is down for ${fault.forMs} ms`)
      return machine.goDown(fault.forMs)
    case 'store-forgets':
      world.fault('store forgets')
      world.note({ kind: 'forgot' })
      return void machine.forget()
    case 'journal-restarts':
      world.fault('journal restarts', () => `the database is killed, and back in ${fault.downMs} ms`)
      return database.restart(fault.downMs)
    case 'journal-cleans':
      world.fault('journal cleans')
      return clean(world, database)
    case 'settle':
      world.fault('settlement')
      return void settle(world, machine, fault.key, fault.how)
  }
}

function clean(world: World, database: JournalDatabase): void {
  const deleted = new Set(database.clean())
  for (const key of new Set(world.plan.intents.map((intent) => intent.key))) {
    if (deleted.has(recordId('tenant', key))) world.note({ kind: 'cleaned', key })
  }
}

async function settle(world: World, machine: StoreMachine, key: string, how: string): Promise<void> {
  const id = recordId('tenant', key)
  const { inspect } = machine.store
  if (inspect === undefined) return
  if (how === 'delete') {
    if (await inspect.forget(id)) world.note({ kind: 'settled', key, how: 'deleted' })
    return
  }
  const response = { kind: 'kept', status: 200, headers: [], body: Buffer.from('run 0') } as const
  const result = await inspect.settle(
    id,
    how === 'release' ? { kind: 'release' } : { kind: 'response', response },
  )
  if (result === 'settled') {
    world.note({ kind: 'settled', key, how: how === 'release' ? 'released' : 'answered' })
  }
}

/** Claims that were given up are undone for one lease. */
function isGentle({ faults, network, leaseMs, storeTimeoutMs }: Plan, lateMs: number): boolean {
  const harmless = faults.every(
    ({ kind }) =>
      !['crash', 'shutdown', 'stall', 'settle', 'store-forgets', 'journal-restarts'].includes(kind),
  )
  return harmless && network.duplicated === 0 && 2 * lateMs + storeTimeoutMs < leaseMs
}

function termsOf(plan: Plan): Terms {
  const { leaseMs, maxRunMs, storeTimeoutMs, waitMs, calm, network } = plan
  const forwardMs = plan.faults.reduce(
    (sum, fault) => sum + (fault.kind === 'store-clock' ? Math.abs(fault.byMs) : 0),
    0,
  )
  const storeOutageMs = plan.faults.reduce(
    (sum, fault) => sum + (fault.kind === 'store-stall' ? fault.forMs : 0),
    0,
  )
  const sleptMs = plan.faults.reduce(
    (sum, fault) => sum + (fault.kind === 'stall' && fault.suspended ? fault.forMs : 0),
    0,
  )
  return {
    reconciles: plan.recoveries.includes('reconcile'),
    leaseMs,
    maxRunMs,
    storeTimeoutMs,
    waitMs,
    calm,
    gentle: isGentle(plan, network.lateMs + network.delayMs + storeOutageMs),
    bypass: plan.bypass,
    steps: plan.steps,
    journal: plan.journal,
    keepMs: plan.keepMs,
    forwardMs,
    retainMs: Math.min(plan.retainMs, plan.retainUnknownMs),
    lateMs: network.lateMs + network.delayMs + storeOutageMs,
    sleptMs,
  }
}
