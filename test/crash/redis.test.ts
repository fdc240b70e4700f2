import { afterAll, beforeAll } from 'vitest'
import { startRedis } from '../../scripts/services/index.ts'
import { crashCases } from './crash-cases.ts'

let server: Awaited<ReturnType<typeof startRedis>>

beforeAll(async () => {
  server = await startRedis({})
})
afterAll(() => server.stop())

crashCases('one Redis', () => server.url)
