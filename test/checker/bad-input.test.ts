import { execFile } from 'node:child_process'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const script = new URL('./command-process.ts', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'hapax-bad-input-'))
const servers: Server[] = []
const ports: Record<string, number> = {}

beforeAll(async () => {
  const certificate = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=localhost',
  ]
  const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')]
  execFileSync('openssl', [...certificate, '-addext', 'subjectAltName=IP:127.0.0.1', ...files], {
    stdio: 'ignore',
  })
  const tls = {
    key: readFileSync(join(directory, 'key.pem')),
    cert: readFileSync(join(directory, 'cert.pem')),
  }
  let served = 0
  await listen(
    'tls',
    createHttpsServer(tls, (_, res) => res.end(`{"id":"${(served += 1)}-order"}`)),
  )
  await listen(
    'text',
    createHttpServer((_, res) => res.end('ok')),
  )
  await listen(
    'missing',
    createHttpServer((_, res) => res.writeHead(404).end('{"error":"nothing here"}')),
  )
  await listen(
    'redirect',
    createHttpServer((_, res) => res.writeHead(308, { Location: '/elsewhere' }).end()),
  )
  await listen(
    'same',
    createHttpServer((_, res) => res.end('{"id":1}')),
  )
  await listen(
    'endless',
    createHttpServer((_, res) => {
      const timer = setInterval(() => res.write('more '), 20)
      res.on('close', () => clearInterval(timer))
    }),
  )
  await listen(
    'silent',
    createServer(() => undefined),
  )
  await listen(
    'chatty',
    createServer((socket) => socket.end('220 mail.example ESMTP\r\n')),
  )
  await listen(
    'cut',
    createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf')),
    ),
  )
})

afterAll(() => {
  for (const server of servers) server.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('what cannot be tested is said in a sentence, with exit code 2', () => {
  test.concurrent.each<[string, () => string[], RegExp]>([
    ['no URL', () => [], /Which URL\?/],
    ['not a URL', () => ['http://'], /is not a URL/],
    ['another scheme', () => ['ftp://localhost/x'], /is not http:\/\/ or https:\/\//],
    ['an unknown option', () => ['http://localhost/', '--frobnicate'], /unknown option/],
    ['an unknown row', () => ['http://localhost/', '--only', 'XYZ-1'], /no row or class "XYZ-1"/],
    [
      'a header without a colon',
      () => ['http://localhost/', '-H', 'nonsense'],
      /not of the form 'Name: value'/,
    ],
    ['a data file that is not there', () => ['http://localhost/', '-d', '@/no/such/file'], /does not exist/],
    [
      'a config file with an unknown member',
      () => ['--config', config({ ulr: 'x' })],
      /unknown member "ulr"/,
    ],
    ['a config file with a wrong type', () => ['--config', config({ url: 5 })], /url should be a string/],
    ['a refused connection', () => ['http://127.0.0.1:9/x'], /connection was refused/],
    [
      'a host that does not exist',
      () => ['http://no-such-host.invalid/x'],
      /does not resolve|could not be looked up/,
    ],
    [
      'a self-signed certificate',
      () => [`https://127.0.0.1:${ports['tls']}/`],
      /self-signed \(give --cacert FILE, or --insecure\)/,
    ],
    ['TLS to a server without it', () => [`https://127.0.0.1:${ports['text']}/`], /does not speak TLS/],
    ['a text answer', () => [at('text')], /not JSON.*--witness/],
    ['a 404', () => [at('missing')], /answered 404.*needs a request that succeeds/],
    ['a redirect', () => [at('redirect')], /redirect to \/elsewhere/],
    ['answers that never differ', () => [at('same')], /do not differ in anything/],
    [
      'a witness that is not there',
      () => [at('same'), '--witness', '/nope'],
      /nothing at the witness \/nope/,
    ],
    [
      'an endless answer',
      () => [at('endless'), '--timeout', '700ms'],
      /the answer did not end .* within 0\.7 s/,
    ],
    ['no answer at all', () => [at('silent'), '--timeout', '700ms'], /no answer within 0\.7 s/],
    ['another protocol', () => [at('chatty')], /not HTTP\/1\.1/],
    ['an answer cut short', () => [at('cut')], /closed in the middle of the answer/],
    [
      'a probe that is not there',
      () => [at('same'), '--probe', `${at('missing')}#/n`],
      /probe .* answered 404/,
    ],
    ['a probe without a number', () => [at('same'), '--probe', `${at('text')}#/n`], /no number at \/n/],
  ])('%s', async (_, words, sentence) => {
    const { code, err, out } = await run(words())
    expect(err).toMatch(sentence)
    expect(err).not.toMatch(/\n\s+at /)
    expect(out).toBe('')
    expect(code).toBe(2)
  })
})

test('a certificate that is believed', async () => {
  const words = [
    `https://127.0.0.1:${ports['tls']}/`,
    '--cacert',
    join(directory, 'cert.pem'),
    '--only',
    'CAL-01',
  ]
  expect(await run(words)).toMatchObject({ code: 0 })
  expect(await run([words[0] ?? '', '-k', '--only', 'CAL-01'])).toMatchObject({ code: 0 })
})

function at(name: string): string {
  return `http://127.0.0.1:${ports[name]}/`
}

function config(value: unknown): string {
  const file = join(directory, `${Math.random()}.json`)
  writeFileSync(file, JSON.stringify(value))
  return file
}

async function listen(name: string, server: Server): Promise<void> {
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP listener's address is always an AddressInfo.
  ports[name] = (server.address() as AddressInfo).port
}

function run(words: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...words], { timeout: 20_000 }, (_, out, err) => {
      resolve({ code: child.exitCode, out, err })
    })
  })
}
