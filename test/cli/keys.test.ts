import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createIdempotency } from '../../src/index.ts'
import { recordId } from '../../src/protocol/identity.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { runCli } from './run-cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-keys-'))
const file = join(folder, 'keys.sqlite')
const store = ['--store', `sqlite:${file}`] as const

beforeAll(async () => {
  const once = createIdempotency({ store: sqliteStore(file) })
  await once.run({ key: 'paid', scope: 'user-1' }, () => ({ id: 'ord_1' }))
  await once.run({ key: 'broken', scope: 'user-1' }, failing).catch(() => {})
  await leaveUnknown('stuck', 'user-2')
  await leaveUnknown('stuck-too', 'user-2')
  await leaveUnknown('stuck-three', false)
  await once.close()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('hapax keys list', () => {
  test('shows the newest first, with state, scope, id and key', async () => {
    const { stdout, exitCode } = await runCli('keys', 'list', ...store)
    expect(exitCode).toBe(0)
    const lines = stdout.trim().split('\n')
    expect(lines[0]).toMatch(/^STATE +AGE +SCOPE +ID +KEY$/)
    expect(lines.map((line) => line.split(/ +/)[0])).toEqual([
      'STATE',
      'unknown',
      'unknown',
      'unknown',
      'failed',
      'completed',
    ])
    expect(lines[5]).toContain(recordId('user-1', 'paid'))
    expect(lines[5]).toMatch(/paid {2}\(200\)$/)
  })

  test('filters by state, scope, key and age, and says when there is more', async () => {
    expect(await keysOf('--state', 'unknown', '--scope', 'user-2')).toEqual(['stuck-too', 'stuck'])
    expect(await keysOf('--state', 'failed', 'completed')).toEqual(['broken', 'paid'])
    expect(await keysOf('--key', 'three')).toEqual(['stuck-three'])
    expect(await keysOf('--older-than', '1h')).toEqual([])
    const { stdout } = await runCli('keys', 'list', ...store, '--limit', '2', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      more: true,
      keys: [{ key: 'stuck-three' }, { key: 'stuck-too' }],
    })
    expect((await runCli('keys', 'list', ...store, '--limit', '2')).stdout).toMatch(/More than 2/)
    expect((await runCli('keys', 'list', ...store, '--key', 'none')).stdout).toBe('No such keys.\n')
  })
})

test('hapax keys stats counts by state', async () => {
  const { stdout } = await runCli('keys', 'stats', ...store, '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    total: 5,
    states: { unknown: { count: 3 }, failed: { count: 1 }, completed: { count: 1 }, running: { count: 0 } },
  })
  expect((await runCli('keys', 'stats', ...store)).stdout).toMatch(/^unknown +3 {2}oldest /m)
})

describe('hapax keys show', () => {
  test('finds a key by its id, or by scope and key', async () => {
    const byKey = await runCli('keys', 'show', ...store, '--scope', 'user-1', 'paid')
    expect(byKey.stdout).toMatch(/^state +completed, for .*\nscope +user-1\nkey +paid$/m)
    expect(byKey.stdout).toMatch(/^body +\{"id":"ord_1"\}$/m)
    const byId = await runCli('keys', 'show', ...store, recordId('user-1', 'paid'))
    expect(byId.stdout.replace(/for \w+/, '')).toBe(byKey.stdout.replace(/for \w+/, ''))
    expect((await runCli('keys', 'show', ...store, '--shared', 'stuck-three')).stdout).toMatch(
      /^state +unknown/m,
    )
  })

  test('tells steps, and which of them has no known end', async () => {
    const { stdout } = await runCli('keys', 'show', ...store, '--scope', 'user-2', 'stuck')
    expect(stdout).toMatch(/^step +charge: finished\nstep +mail: began, and nobody knows its end$/m)
  })

  test.each([
    [['nobody'], /is no record's id/],
    [['--scope', 'user-1', 'nobody'], /no record of nobody in user-1/],
    [[recordId('x', 'y')], /no record of/],
  ])('%j: a sentence and exit code 2', async (args, sentence) => {
    const { stderr, exitCode } = await runCli('keys', 'show', ...store, ...args)
    expect(stderr).toMatch(sentence)
    expect(exitCode).toBe(2)
  })
})

describe('changes', () => {
  test('are made only when somebody is sure', async () => {
    const { stderr, exitCode } = await runCli('keys', 'forget', ...store, '--scope', 'user-2', 'stuck')
    expect(stderr).toMatch(/Give --yes/)
    expect(exitCode).toBe(2)
    expect(await keysOf('--key', 'stuck')).toContain('stuck')
  })

  test('settle: every retry gets the answer, and an audit line says who did it', async () => {
    const log = join(folder, 'audit.log')
    const { stdout } = await runCli(
      'keys',
      'settle',
      ...store,
      '--yes',
      '--audit-file',
      log,
      '--scope',
      'user-2',
      'stuck',
      '--status',
      '201',
      '--body',
      '{"id":"ord_2"}',
    )
    expect(stdout).toMatch(/settled\.$/m)
    expect(JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({
      action: 'settle',
      state: 'unknown',
      scope: 'user-2',
      key: 'stuck',
      status: 201,
      by: expect.any(String),
    })
    expect(await retry('stuck', 'user-2')).toEqual({ id: 'ord_2' })
    const again = await runCli('keys', 'settle', ...store, '--yes', '--scope', 'user-2', 'stuck')
    expect(again).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/good outcome, and that stays/),
    })
  })

  test('release and forget: the key is new', async () => {
    const released = await runCli('keys', 'release', ...store, '--yes', '--scope', 'user-2', 'stuck-too')
    expect(released.stderr).toMatch(/^audit \{.*"action":"release".*\}$/m)
    expect(await retry('stuck-too', 'user-2')).toBe('ran')
    await runCli('keys', 'forget', ...store, '--yes', '--shared', 'stuck-three')
    expect(await retry('stuck-three', false)).toBe('ran')
  })
})

test.each([
  [['keys', 'list'], /--store/],
  [['keys', 'list', '--store', join(folder, 'absent.sqlite')], /There is no file/],
  [['keys', 'list', '--store', 'mongodb://localhost'], /no store of the kind "mongodb:"/],
  [
    ['keys', 'list', '--store', 'redis://:secret@127.0.0.1:1'],
    /Can.t reach Redis at redis:\/\/:\*\*\*@127\.0\.0\.1:1/,
  ],
  [['keys', 'list', ...store, '--state', 'odd'], /running/],
  [['keys', 'list', ...store, '--limit', '0'], /whole number/],
])('%j: a sentence, and exit code 2', async (args, sentence) => {
  const { stderr, exitCode } = await runCli(...args)
  expect(stderr).toMatch(sentence)
  expect(stderr).not.toContain('secret')
  expect(exitCode).toBe(2)
})

async function keysOf(...filter: readonly string[]): Promise<string[]> {
  const { stdout } = await runCli('keys', 'list', ...store, '--json', ...filter)
  const { keys }: { keys: { key: string }[] } = JSON.parse(stdout)
  return keys.map(({ key }) => key)
}

/** A run that met a step of which nobody knows the end. */
async function leaveUnknown(key: string, scope: string | false): Promise<void> {
  const once = createIdempotency({ store: sqliteStore(file) })
  const attempt = () =>
    once.run({ key, scope, recovery: 'rerun' }, async ({ step }) => {
      await step('charge', () => 'ch_1')
      await step('mail', failing)
    })
  await attempt().catch(() => {})
  await attempt().catch(() => {})
  await once.close()
}

async function retry(key: string, scope: string | false): Promise<unknown> {
  const once = createIdempotency({ store: sqliteStore(file) })
  try {
    return await once.run({ key, scope }, () => 'ran')
  } finally {
    await once.close()
  }
}

function failing(): never {
  throw new Error('broken')
}
