import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { htmlReport } from '../../src/checker/report/html.ts'
import { jsonReport } from '../../src/checker/report/json.ts'
import { exitCodeOf } from '../../src/checker/report/summary.ts'
import { textReport } from '../../src/checker/report/text.ts'
import { type CheckReport, runCheck } from '../../src/checker/run.ts'

// A server that forgets, means ill, and needs a credential: its answers end up in every report.
const evil = '<script>alert(1)</script>'
const secret = 'Bearer very-secret'
let orders = 0
let server: Server
let url = ''
let report: CheckReport
const directory = mkdtempSync(join(tmpdir(), 'hapax-report-'))

beforeAll(async () => {
  server = createServer((req, res) => {
    req.resume().on('end', () => {
      if (req.headers.authorization !== secret) return void res.writeHead(401).end()
      orders += 1
      res.end(JSON.stringify({ id: `order-${orders}`, note: evil }))
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
  const only = ['FID-01', 'MM-02', 'CON-01', 'FLT-05']
  report = await runCheck({ url, headers: [`Authorization: ${secret}`], data: '{"n":1}', only, rounds: 2 })
})
afterAll(() => {
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('the reports', () => {
  test('the text says what was sent, what came back, what was expected, and how to see it again', () => {
    const text = textReport(report, false)
    expect(text).toMatch(/✗ FID-01 ★ A repeat gets the first answer \(FAIL, safety; SHOULD\)/)
    expect(text).toMatch(/got {7}the repeat: 2 effects \(distinct witnesses\)/)
    expect(text).toMatch(/expected {2}one effect/)
    expect(text).toMatch(/sent {6}POST \/orders {2}Idempotency-Key: "[0-9a-f-]{36}" {2}\{"n":1\}/)
    expect(text).toMatch(/came back 200 \{"id":"order-/)
    expect(text).toMatch(/source {4}draft-07 2\.6/)
    expect(text).toContain(
      `again     hapax check ${url} -H 'Authorization: Bearer …' --data '{"n":1}' --only FID-01`,
    )
    expect(text).toMatch(/by hand {3}curl -i -X POST/)
    expect(text).toMatch(/- FLT-05 ★ A restart: skipped, needs hooks\.restart/)
    expect(text).toMatch(/2 failures, all about safety: 1 inconclusive, 1 skipped\.\n$/)
    expect(text).not.toContain('\u001b')
    expect(textReport(report, true)).toContain('\u001b[31m')
  })

  test('no report has the credentials in it', () => {
    for (const text of [textReport(report, false), JSON.stringify(jsonReport(report)), htmlReport(report)]) {
      expect(text).not.toContain('very-secret')
      expect(text).toContain('Bearer …')
    }
  })

  test('the page runs nothing, loads nothing, and shows the race', () => {
    const html = htmlReport(report)
    expect(html).not.toMatch(/<script/i)
    expect(html).toContain('&lt;script&gt;')
    expect(html).not.toMatch(/(?:src|href)=(?!"#)/)
    expect(html).not.toMatch(/url\(/)
    expect(html).toMatch(/<div class="lanes" role="img" aria-label="2 requests on one time axis">/)
    expect(html.match(/<div class="lane"/g)).toHaveLength(2)
    expect(html).toMatch(/whole at the server, no answer yet/)
  })

  test('the page leads to each card, and says once what was sent twice', () => {
    const html = htmlReport(report)
    const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(targets)).toEqual(new Set(['CON-01', 'FID-01']))
    for (const id of targets) expect(html).toContain(`<article id="${id}"`)
    // A second effect weighs more than a wrong answer.
    expect(html.indexOf('<article id="CON-01"')).toBeLessThan(html.indexOf('<article id="FID-01"'))
    expect(html).toContain('the same request')
    expect(html).toContain(` \\\n  --only FID-01</pre>`)
  })

  test('the JSON has each row and the exchanges that its findings name', () => {
    const json: unknown = JSON.parse(JSON.stringify(jsonReport(report)))
    expect(json).toMatchObject({
      format: 1,
      counts: { fail: 2, skipped: 1, inconclusive: 1 },
      profile: 'chosen rows',
    })
    expect(json).toHaveProperty('rows.0.findings.0.exchanges.0', expect.any(Number))
    expect(json).toHaveProperty('exchanges.0.request.method', 'POST')
  })

  test('exit codes', () => {
    const only = (...ids: string[]): CheckReport => ({
      ...report,
      results: report.results.filter((one) => ids.includes(one.case.id)),
    })
    expect(exitCodeOf(report, false)).toBe(1)
    expect(exitCodeOf(only('FLT-05'), false)).toBe(2)
    expect(exitCodeOf(only('MM-02', 'FLT-05'), false)).toBe(2)
    const passing = {
      ...report,
      results: report.results
        .map((one) => (one.case.id === 'FID-01' ? { ...one, verdict: 'warn' as const } : one))
        .filter((one) => one.case.id !== 'CON-01'),
    }
    expect(exitCodeOf(passing, false)).toBe(0)
    expect(exitCodeOf(passing, true)).toBe(1)
  })
})

test('the command: config file, JSON on standard output, HTML in a file, progress on standard error, exit code 1', async () => {
  const config = join(directory, 'check.json')
  const html = join(directory, 'report.html')
  writeFileSync(
    config,
    JSON.stringify({ url, headers: [`Authorization: ${secret}`], data: { n: '{{n}}' }, only: ['FID-01'] }),
  )
  const { code, out, err } = await run(['--config', config, '--json', '--html', html])
  expect(code).toBe(1)
  expect(JSON.parse(out)).toMatchObject({ counts: { fail: 1 } })
  expect(err).toMatch(/1\/1 FID-01 fail/)
  expect(readFileSync(html, 'utf8')).toMatch(/<!doctype html>/)
})

function run(words: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const script = new URL('./command-process.ts', import.meta.url).pathname
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...words], { timeout: 20_000 }, (_, out, err) => {
      resolve({ code: child.exitCode, out, err })
    })
  })
}
