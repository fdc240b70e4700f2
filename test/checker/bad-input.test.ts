import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CannotTest } from '../../src/checker/cannot-test.ts'
import { readConfig } from '../../src/checker/config.ts'
import { type CheckOptions, runCheck } from '../../src/checker/run.ts'

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

const data = '{"n":1}'

describe('what cannot be tested is said in a sentence', () => {
  test.concurrent.each<[string, () => CheckOptions, RegExp]>([
    ['not a URL', () => ({ url: 'http://' }), /is not a URL/],
    ['another scheme', () => ({ url: 'ftp://localhost/x' }), /is not http:\/\/ or https:\/\//],
    ['credentials in the URL', () => ({ url: 'http://me:secret@localhost/' }), /carries a user name/],
    ['an unknown row', () => ({ url: at('same'), only: ['XYZ-1'] }), /no row or class "XYZ-1"/],
    [
      'a header without a colon',
      () => ({ url: at('same'), headers: ['nonsense'] }),
      /not of the form 'Name: value'/,
    ],
    [
      'a knob of no known form',
      () => ({ url: at('same'), slow: 'delay' }),
      /--slow "delay" is not of the form/,
    ],
    [
      'a key member without JSON',
      () => ({ url: at('same'), keyMember: '/key' }),
      /needs --data that is a JSON object/,
    ],
    ['a refused connection', () => ({ url: 'http://127.0.0.1:9/x' }), /connection was refused/],
    [
      'a self-signed certificate',
      () => ({ url: `https://127.0.0.1:${ports['tls']}/` }),
      /self-signed \(give --cacert FILE/,
    ],
    [
      'TLS to a server without it',
      () => ({ url: `https://127.0.0.1:${ports['text']}/` }),
      /does not speak TLS/,
    ],
    ['a text answer', () => ({ url: at('text'), data }), /not JSON.*--witness/],
    ['a 404', () => ({ url: at('missing'), data }), /answered 404.*needs a request that succeeds/],
    ['a redirect', () => ({ url: at('redirect'), data }), /redirect to \/elsewhere/],
    ['answers that never differ', () => ({ url: at('same'), data }), /do not differ in anything/],
    [
      'a witness that is not there',
      () => ({ url: at('same'), witness: '/nope' }),
      /nothing at the witness \/nope/,
    ],
    [
      'an endless answer',
      () => ({ url: at('endless'), timeoutMs: 400 }),
      /the answer did not end .* within 0\.4 s/,
    ],
    ['no answer at all', () => ({ url: at('silent'), timeoutMs: 400 }), /no answer within 0\.4 s/],
    ['another protocol', () => ({ url: at('chatty') }), /not HTTP\/1\.1/],
    ['an answer cut short', () => ({ url: at('cut') }), /closed in the middle of the answer/],
    [
      'a probe that is not there',
      () => ({ url: at('same'), probe: `${at('missing')}#/n` }),
      /probe .* answered 404/,
    ],
    ['a probe without a number', () => ({ url: at('same'), probe: `${at('text')}#/n` }), /no number at \/n/],
  ])('%s', async (_, options, sentence) => {
    const error: unknown = await runCheck(options()).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(CannotTest)
    expect(error).toHaveProperty('message', expect.stringMatching(sentence))
  })

  test.each<[string, () => string, RegExp]>([
    ['a file that is not there', () => '/no/such/file', /does not exist/],
    ['an unknown member', () => config({ ulr: 'x' }), /unknown member "ulr"/],
    ['a wrong type', () => config({ url: 5 }), /url should be a string/],
    [
      'an unknown hook',
      () => config({ hooks: { reboot: 'x' } }),
      /hooks should be an object of shell commands/,
    ],
    ['no object', () => config([]), /is not a JSON object/],
  ])('a config file with %s', (_, file, sentence) => {
    expect(() => readConfig(file())).toThrow(sentence)
  })
})

describe('the command', () => {
  test.each<[string, () => string[], RegExp]>([
    ['no URL', () => [], /Which URL\?/],
    ['an unknown option', () => ['http://localhost/', '--frobnicate'], /unknown option/],
    ['an endless answer', () => [at('endless'), '--timeout', '300ms'], /the answer did not end/],
  ])('%s: a sentence on standard error, exit code 2', async (_, words, sentence) => {
    const { code, err, out } = await run(words())
    expect(err).toMatch(sentence)
    expect(err).not.toMatch(/\n\s+at /)
    expect(out).toBe('')
    expect(code).toBe(2)
  })
})

test('a certificate that is believed', async () => {
  const options = { url: `https://127.0.0.1:${ports['tls']}/`, only: ['CAL-01'] }
  const ca = readFileSync(join(directory, 'cert.pem'), 'utf8')
  const trusted = await runCheck({ ...options, ca })
  const unchecked = await runCheck({ ...options, insecure: true })
  expect([trusted, unchecked].map(({ results }) => results[0]?.verdict)).toEqual(['pass', 'pass'])
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
