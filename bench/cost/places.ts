import { join } from 'node:path'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import type { Served } from '../served.ts'
import { startSubject, type Subject } from './subject.ts'

type Start = (subject: Partial<Subject>) => Promise<Served>

/** Gives `work` a way to start servers, on a Redis and in a folder that are gone afterwards, as they are. */
export async function withSubjects<T>(work: (start: Start) => Promise<T>): Promise<T> {
  const folder = temporaryFolder('bench-cost')
  const redis = await startOwnRedis()
  const servers: Served[] = []
  try {
    return await work(async (subject) => {
      const file = join(folder, `${servers.length}.sqlite`)
      const usual = { store: 'none', waits: false, heldRuns: 0, redisUrl: redis.url, file } as const
      const server = await startSubject({ ...usual, ...subject })
      servers.push(server)
      return server
    })
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
    removeFolder(folder)
  }
}
