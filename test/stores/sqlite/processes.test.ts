import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import { replayed, requestFor } from '../verbs.ts'
import { createPlace, destroyPlace, type Place } from './places.ts'

// Ten processes are started in all, on a machine that may have two busy cores.
vi.setConfig({ testTimeout: 60_000 })

const programs = {
  claimer: fileURLToPath(new URL('./children/claimer.ts', import.meta.url)),
  opener: fileURLToPath(new URL('./children/opener.ts', import.meta.url)),
  recorder: fileURLToPath(new URL('./children/recorder.ts', import.meta.url)),
}

let place: Place
let children: ChildProcess[]

beforeEach(() => {
  // On a real disk: there a commit takes as long as it does in production.
  place = createPlace(tmpdir())
  children = []
})

afterEach(async () => {
  await Promise.all(children.map((child) => kill(child)))
  destroyPlace(place)
})

test('500 claims of one key by two processes have one winner', async () => {
  const claims = await claimTogether({ processes: 2, keys: 1, claimsOfEach: 250 })
  expect(claims).toHaveLength(500)
  expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
  expect(claims.filter(({ kind }) => kind === 'running')).toHaveLength(499)
})

test('200 keys claimed by three processes at once have one winner each', async () => {
  const claims = await claimTogether({ processes: 3, keys: 200, claimsOfEach: 2 })
  const won = claims.filter(({ kind }) => kind === 'claimed').map(({ id }) => id)
  expect(won).toHaveLength(200)
  expect(new Set(won).size).toBe(200)
  expect(claims.filter(({ kind }) => kind === 'running')).toHaveLength(1_000)
})

test('twenty connections of four processes may make a new file at the same moment', async () => {
  const openers = Array.from({ length: 4 }, () => forkChild('opener'))
  await Promise.all(openers.map((child) => messageOf(child)))
  for (let round = 0; round < 4; round += 1) {
    const claims = await told(openers, `${place.file}.${round}`)
    expect(claims).toHaveLength(20)
    expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
    expect(claims.filter(({ kind }) => kind === 'running')).toHaveLength(19)
  }
})

test('processes killed at any moment lose nothing that was acknowledged, and block nobody', async () => {
  const acknowledged: string[] = []
  for (let round = 0; round < 3; round += 1) {
    const recorders = [spawnRecorder(`${round}a-`), spawnRecorder(`${round}b-`)]
    const lines = recorders.map((child) => linesOf(child))
    await until(() => lines.every((list) => list.length > 20))
    await sleep(Math.random() * 50)
    await Promise.all(recorders.map((child) => kill(child)))
    acknowledged.push(...lines.flat())

    const store = sqliteStore(place.file)
    expect(await store.claim(requestFor(`round ${round}`))).toMatchObject({ kind: 'claimed' })
    await store.close()
  }
  const store = sqliteStore(place.file)
  const bodies = await Promise.all(acknowledged.map((id) => replayed(store, id)))
  expect(bodies).toEqual(acknowledged.map((id) => `answer to ${id} `.repeat(50)))
  await store.close()
  const database = new DatabaseSync(place.file)
  place.handles.push(database)
  expect(database.prepare('PRAGMA integrity_check').all()).toMatchObject([{ integrity_check: 'ok' }])
})

test('a process that was stopped while it held no transaction blocks nobody', async () => {
  const recorder = spawnRecorder('a-')
  const lines = linesOf(recorder)
  await until(() => lines.length > 20)
  await stopOutsideTransaction(recorder)
  const store = sqliteStore(place.file)
  expect(await store.claim(requestFor('mine'))).toMatchObject({ kind: 'claimed' })
  await store.close()
})

interface Claimed {
  readonly id: string
  readonly kind: string
}

async function claimTogether(options: {
  processes: number
  keys: number
  claimsOfEach: number
}): Promise<Claimed[]> {
  const claimers = Array.from({ length: options.processes }, () =>
    forkChild('claimer', place.file, String(options.keys), String(options.claimsOfEach)),
  )
  await Promise.all(claimers.map((child) => messageOf(child)))
  return told(claimers, 'go')
}

function forkChild(name: keyof typeof programs, ...args: string[]): ChildProcess {
  const child = fork(programs[name], args)
  children.push(child)
  return child
}

async function told(claimers: readonly ChildProcess[], message: string): Promise<Claimed[]> {
  const answers = claimers.map((child) => messageOf(child))
  for (const child of claimers) child.send(message)
  const claims = await Promise.all(answers)
  // The children's own message, an array of what each claim met.
  return claims.flat() as Claimed[]
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a child ended too early, with code ${code}`)
  })
  const [message] = await Promise.race([once(child, 'message'), ended])
  ended.catch(() => {})
  return message
}

function spawnRecorder(prefix: string): ChildProcess {
  const child = spawn(process.execPath, [programs.recorder, place.file, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  return child
}

/** Grows while the child writes. A last line without its end is left out: it was not written whole. */
function linesOf(child: ChildProcess): string[] {
  const lines: string[] = []
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  return lines
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

/** A process stopped inside a transaction does block the others, as SQLite's locks have no lease. */
async function stopOutsideTransaction(child: ChildProcess): Promise<void> {
  const database = new DatabaseSync(place.file, { timeout: 50 })
  place.handles.push(database)
  for (let tries = 0; tries < 100; tries += 1) {
    child.kill('SIGSTOP')
    try {
      database.exec('BEGIN IMMEDIATE; ROLLBACK')
      return
    } catch {
      child.kill('SIGCONT')
      await sleep(Math.random() * 20)
    }
  }
  throw new Error('the process was inside a transaction at each of a hundred moments')
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (condition()) return
    await sleep(30)
  }
  throw new Error('waited for thirty seconds in vain')
}
