import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { startRedis } from '../../scripts/services/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { bringTo, situations } from '../../src/testing/store/kit.ts'
import { openRecords, type Place, policyOf } from '../records/damage.ts'
import type { FuzzTarget } from '../target.ts'

/** Which situation the record had before, and all the bytes that stand there now. */
export const redisRecordsTarget: FuzzTarget = {
  name: 'records-redis',
  what: 'a damaged record on a real Redis is never run as new, nor written over',
  isServed: true,
  tokens: [
    '\x01',
    '\x02',
    '\x03',
    '\x04',
    '\x08',
    'w',
    '[500,["a","b"]]',
    '[500,"too-large","/x"]',
    '["charge","begun",false,null]',
    '\x01b',
    '\0\0\0\0\0\0',
  ],
  async open() {
    const server = await startRedis()
    const control = new Redis(server.url)
    const prefix = `fuzz-${randomUUID()}:`
    const store = redisStore(control, { prefix, silence: ['redis-not-persistent', 'redis-evicts'] })
    const place: Place = {
      store,
      damage: async (id, damage) => (await control.set(prefix + id, damage)) === 'OK',
      raw: (id) => control.getBuffer(prefix + id),
      saysNew: async (id) => {
        const bytes = await control.getBuffer(prefix + id)
        if (bytes === null) return false
        // A key that is new, and that somebody watches.
        if (bytes.toString() === 'w') return true
        return bytes.length >= headBytes && saysNew(bytes, await place.nowMs())
      },
      readsLate: false,
      nowMs: async () => {
        const [seconds = 0, microseconds = 0] = (await control.time()).map(Number)
        return Math.floor(seconds * 1000 + microseconds / 1000)
      },
      close: async () => {
        await store.close()
        const left = await control.keys(`${prefix}*`)
        if (left.length > 0) await control.del(left)
        control.disconnect()
        await server.stop()
      },
    }
    return openRecords(place, await realRecords(place))
  },
}

const headBytes = 46

/** By the layout in lua/record.lua. Where the head does not fit the rest, nothing is believed. */
function saysNew(bytes: Buffer, nowMs: number): boolean {
  const [state, flags] = [bytes.readUInt8(1), bytes.readUInt8(2)]
  const [since, retain, retainUnknown] = [
    bytes.readUIntLE(14, 6),
    bytes.readUIntLE(20, 6),
    bytes.readUIntLE(26, 6),
  ]
  const isClean = state === 2 && bytes.readUInt16LE(34) === 0
  if (state === 3 || isClean) return isClean || since + retain <= nowMs
  if (state !== 1) return since + retainUnknown <= nowMs
  const envelopeAt = headBytes + bytes.readUInt16LE(32) + bytes.readUInt16LE(34) + bytes.readUIntLE(36, 3)
  if (envelopeAt + 6 > bytes.length) return false
  const stepsBytes = (flags & 8) === 0 ? 0 : 4 + bytes.readUInt32LE(envelopeAt)
  const leaseAt = envelopeAt + stepsBytes
  return leaseAt + 6 <= bytes.length && bytes.readUIntLE(leaseAt, 6) + retainUnknown <= nowMs
}

async function realRecords(place: Place): Promise<Buffer[]> {
  const records: Buffer[] = []
  for (const recovery of ['refuse', 'reconcile', 'rerun'] as const) {
    for (const [index, situation] of situations.entries()) {
      const id = `seed ${recovery} ${situation}`
      const lease = await bringTo(situation, place.store, id, { policy: policyOf(recovery) })
      if (situation === 'running')
        await place.store.recordStep(lease, { state: 'begun', name: 'charge', safe: true })
      const bytes = await place.raw(id)
      if (!Buffer.isBuffer(bytes)) throw new Error('The record is not there.')
      const modes = { refuse: 0, reconcile: 1, rerun: 2 }
      const choice = index + situations.length * modes[recovery]
      records.push(Buffer.concat([Buffer.of(choice), bytes]))
    }
  }
  return records
}
