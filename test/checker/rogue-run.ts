import { startReference } from '../../src/checker/reference/server.ts'
import { type CheckOptions, type CheckReport, runCheck } from '../../src/checker/run.ts'
import { checkSelf } from '../../src/checker/self.ts'
import type { Rogue } from './rogues/rogues.ts'

/** Options that make a run against a server on loopback quick, without changing what is judged. */
export const quick = {
  fixture: true,
  headers: ['Authorization: Bearer tenant-a'],
  secondTenant: 'Authorization: Bearer tenant-b',
  secondCredential: 'Authorization: Bearer tenant-a-2',
  slowMs: 500,
  retentionMs: 1000,
  rounds: 3,
  jobs: 8,
  // Two busy cores may starve both sides for a while; nothing here is about how fast an answer comes.
  timeoutMs: 60_000,
  maxEffects: 5000,
  profile: 'full',
  skip: ['FID-02', 'FID-11', 'EXP-01', 'LRG', 'CON-06'],
} as const satisfies Partial<CheckOptions>

/** Left to the rogues that are about races: hundreds of connections each, and nothing else to see. */
const crowds = ['CON-08', 'CON-10', 'FLT-10']

/** Runs the rows against one rogue. */
export async function checkRogue(name: string, rogue: Rogue): Promise<CheckReport> {
  if (rogue.process !== undefined) {
    const script = new URL('./rogues/process.ts', import.meta.url).pathname
    return checkSelf([process.execPath, script, name], { ...quick, ...rogue.check })
  }
  const server = await startReference({ auth: true, ...rogue.server })
  const base = new URL(server.url).origin
  const store = (down: number) => async (): Promise<void> => {
    await fetch(`${base}/admin/store?down=${down}`)
  }
  try {
    return await runCheck({
      ...quick,
      url: server.url,
      secondUrl: server.secondUrl,
      http2Url: server.http2Url,
      ...(/^(?:CON|FLT)/.test(rogue.row) ? {} : { skip: [...quick.skip, ...crowds] }),
      ...(rogue.row === 'FLT-11' ? { hooks: { storeDown: store(1), storeUp: store(0) } } : {}),
      ...rogue.check,
    })
  } finally {
    await server.close()
  }
}
