import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { exitCodeOf } from '../../src/checker/report/summary.ts'
import { textReport } from '../../src/checker/report/text.ts'
import { runCheck } from '../../src/checker/run.ts'

test('a target that goes away in the middle is judged by what it did while it was there', async () => {
  let orders = 0
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      orders += 1
      response.setHeader('Connection', 'close')
      response.writeHead(201, { 'Content-Type': 'application/json' }).end(`{"id":"order-${orders}"}`)
      // Enough for discovery and for the first rows.
      if (orders === 15) server.close()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is always an AddressInfo.
  const { port } = server.address() as AddressInfo
  const report = await runCheck({
    url: `http://127.0.0.1:${port}/orders`,
    data: '{"n":1}',
    only: ['CAL-01', 'FID-01', 'SYN-07', 'SYN-09', 'SYN-13', 'SYN-14'],
    keyRequired: true,
    jobs: 1,
  })
  const verdicts = Object.fromEntries(report.results.map(({ case: { id }, verdict }) => [id, verdict]))
  expect(verdicts).toMatchObject({ 'CAL-01': 'pass' })
  const rest = report.results.filter(({ summary }) => summary.includes('stopped taking connections'))
  expect(rest.length).toBeGreaterThanOrEqual(3)
  expect(rest.every(({ verdict }) => verdict === 'inconclusive')).toBe(true)
  for (const { findings } of report.results) {
    for (const { exchanges } of findings) {
      expect(exchanges.every(({ result }) => result.kind === 'answer')).toBe(true)
    }
  }
  const judgedOnly = { ...report, results: report.results.filter(({ verdict }) => verdict !== 'fail') }
  expect(exitCodeOf(judgedOnly, false)).toBe(2)
  expect(textReport(judgedOnly, false)).toContain('The target stopped taking connections: ')
})
