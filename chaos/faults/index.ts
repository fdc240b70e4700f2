import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetMember } from '../fleet/fleet.ts'
import type { HomeName } from '../homes/home.ts'
import type { Fault, World } from './fault.ts'
import { idleClients } from './idle-clients.ts'

export interface NamedFault {
  readonly name: string
  readonly inject: Fault
  readonly homes: readonly HomeName[]
  /** In megabytes: the store's files lie on a disk of that size. */
  readonly smallDisk?: Partial<Record<HomeName, number>>
}

const every: readonly HomeName[] = ['memory', 'sqlite', 'redis', 'sentinel', 'cluster', 'postgres']
const reached: readonly HomeName[] = ['redis', 'postgres']
const hourMs = 3_600_000

export const faults: readonly NamedFault[] = [
  { name: 'none', homes: every, inject: () => sleep(1_000) },
  { name: 'server killed', homes: every, inject: killServers },
  { name: 'server stopped', homes: every, inject: stopServer },
  { name: 'rolling deploy', homes: every, inject: deploy },
  { name: 'clock jumps', homes: every, inject: jumpClocks },
  { name: 'idle clients', homes: every, inject: idleClients },
  { name: 'connections held', homes: ['postgres'], inject: holdConnections },
  {
    name: 'disk full',
    homes: ['sqlite', 'redis', 'postgres'],
    smallDisk: { sqlite: 24, redis: 24, postgres: 220 },
    inject: fillDisk,
  },
  ...[
    'connections cut',
    'connections reset',
    'connections half open',
    'answers held back',
    'answers late',
    'store out of reach',
    'store killed',
  ].map((name) => ofStore(name, reached)),
  ofStore('store frozen', ['sqlite', ...reached]),
  ofStore('store out of memory', ['redis']),
  ofStore('failover', ['sentinel', 'cluster']),
  ofStore('slots moved', ['cluster']),
]

function ofStore(name: string, homes: readonly HomeName[]): NamedFault {
  return {
    name,
    homes,
    inject: async ({ home }) => {
      const fault = home.faults[name]
      if (fault === undefined) throw new Error(`${home.name} knows no fault "${name}".`)
      await fault()
    },
  }
}

/** By SIGKILL, one after another, and back after a moment: each leaves requests behind in every state. */
async function killServers(world: World): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const member = anyOf(world)
    await member.end('SIGKILL')
    await sleep(150)
    await member.start()
    await sleep(200)
  }
}

/** By SIGSTOP for more than two leases: what it was doing lapses, and it wakes in the belief that nothing happened. */
async function stopServer(world: World): Promise<void> {
  const member = anyOf(world)
  member.signal('SIGSTOP')
  await sleep(2.5 * world.leaseMs)
  member.signal('SIGCONT')
}

/** By SIGTERM, one after another: each finishes what it is at, and the next release takes its port. */
async function deploy({ fleet, nextSetup }: World): Promise<void> {
  for (const member of fleet.members) {
    await member.end('SIGTERM')
    await member.start(nextSetup)
  }
}

async function jumpClocks({ fleet }: World): Promise<void> {
  for (const byMs of [hourMs, -2 * hourMs, hourMs]) {
    for (const member of fleet.members) member.tell({ order: 'jump-clock', byMs })
    await sleep(700)
  }
}

async function holdConnections({ fleet }: World): Promise<void> {
  for (const member of fleet.members) member.tell({ order: 'hold-connections', forMs: 1_500 })
  await sleep(1_500)
}

async function fillDisk({ disk, home }: World): Promise<void> {
  if (disk === undefined) throw new Error('There is no small disk to fill.')
  disk.fill()
  await sleep(1_500)
  disk.clear()
  // Redis with appendfsync always ends when it can't write; a supervisor brings it back once there is room.
  await home.faults['store restarted']?.()
}

function anyOf({ fleet, random }: World): FleetMember {
  const member = fleet.members[Math.floor(random() * fleet.members.length)]
  if (member === undefined) throw new Error('The fleet is empty.')
  return member
}
