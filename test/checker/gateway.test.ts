import { expect, test } from 'vitest'
import { type CheckReport, runCheck } from '../../src/checker/run.ts'
import { type GatewayFaults, startGateway } from './gateway.ts'

const rows = ['CAL-01', 'FID-01', 'FID-10', 'FLT-12', 'CON-01', 'MM-01']

test('a gateway that keeps its promise passes', async () => {
  expect(verdicts(await judge({}))).toEqual(Object.fromEntries(rows.map((id) => [id, 'pass'])))
})

test('one that repeats a POST by itself is caught by FLT-12 alone', async () => {
  const report = await judge({ repeats: true })
  expect(verdicts(report)).toEqual({ ...passing, 'FLT-12': 'fail' })
  expect(summaryOf(report, 'FLT-12')).toMatch(/a request that the upstream broke off: 2 effects \(probe\)/)
})

test('one that passes on the fields of the upstream’s connection is caught by FID-10 alone', async () => {
  const report = await judge({ passesConnectionFields: true })
  expect(verdicts(report)).toEqual({ ...passing, 'FID-10': 'fail' })
})

const passing = Object.fromEntries(rows.map((id) => [id, 'pass']))

async function judge(faults: GatewayFaults): Promise<CheckReport> {
  const gateway = await startGateway(faults)
  try {
    return await runCheck({
      url: gateway.url,
      fixture: true,
      gateway: true,
      only: rows,
      slowMs: 300,
      rounds: 3,
      maxEffects: 500,
    })
  } finally {
    await gateway.close()
  }
}

function verdicts({ results }: CheckReport): Record<string, string> {
  return Object.fromEntries(
    rows.map((id) => [id, results.find((one) => one.case.id === id)?.verdict ?? 'none']),
  )
}

function summaryOf({ results }: CheckReport, id: string): string {
  return results.find((one) => one.case.id === id)?.summary ?? ''
}
