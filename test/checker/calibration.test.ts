import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type CaseResult } from '../../src/checker/model.ts'
import { runCheck } from '../../src/checker/run.ts'

const operationMs = 150

test('a server that handles one request at a time is found out', async () => {
  let last: Promise<void> = Promise.resolve()
  const row = await calibrate(async () => {
    last = last.then(() => sleep(operationMs))
    await last
  })
  expect(row.verdict).toBe('report')
})

test('one that was merely busy for a moment is not taken for it', async () => {
  let slow = 0
  const row = await calibrate(async () => {
    slow += 1
    // The second of the first two that come together.
    await sleep(slow === 3 ? 2 * operationMs : operationMs)
  })
  expect(row.verdict).toBe('pass')
  expect(slow).toBeGreaterThan(3)
})

/** CAL-03 on a server whose slow operation is this one. */
async function calibrate(slowOperation: () => Promise<void>): Promise<CaseResult> {
  let orders = 0
  const serve = async (url: string, response: ServerResponse): Promise<void> => {
    if (url.includes('delayMs')) await slowOperation()
    orders += 1
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(`{"id":"order-${orders}"}`)
  }
  const server = createServer((request, response) => {
    request.resume().once('end', () => void serve(request.url ?? '', response))
  })
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is always an AddressInfo.
  const { port } = server.address() as AddressInfo
  const { results } = await runCheck({
    url: `http://127.0.0.1:${port}/orders`,
    data: '{"n":1}',
    slow: '?delayMs={{ms}}',
    slowMs: operationMs,
    only: ['CAL-03'],
  })
  const [row] = results
  if (row === undefined) throw new Error('CAL-03 was not run')
  return row
}
