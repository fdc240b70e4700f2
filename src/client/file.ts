import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IntentStorage } from './intents/storage.ts'

/**
 * Keeps intents in a folder, one file for each, so that a process which died in the middle of a request repeats it
 * when it starts again. Several processes may share the folder. A change is on the disk before it is told.
 *
 * For Node, Bun and Deno; browsers have `webStorage`.
 *
 * @param folder Is made if it is missing. Keep it from others: keys are as good as the requests they stand for.
 * @example
 * const intents = createIntents({ storage: fileStorage('/var/lib/shop/intents') })
 */
export function fileStorage(folder: string): IntentStorage {
  return {
    async change(name, next) {
      // Names are the application's: anything may stand in them.
      const path = join(folder, createHash('sha256').update(name).digest('hex'))
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await lock(`${path}.lock`)
      try {
        return await changeLocked(path, next)
      } finally {
        await rmdir(`${path}.lock`).catch(undefinedIfMissing)
      }
    },
  }
}

async function changeLocked(
  path: string,
  next: (kept: string | undefined) => string | undefined,
): Promise<string | undefined> {
  const kept = await readFile(path, 'utf8').catch(undefinedIfMissing)
  const text = next(kept)
  if (text === kept) return text
  if (text === undefined) await rm(path, { force: true })
  else await writeWhole(path, text)
  await syncFolder(dirname(path))
  return text
}

/** A process that dies in here leaves the old text or the new one. */
async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

async function syncFolder(folder: string): Promise<void> {
  // Windows has no such thing.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const staleMs = 10_000
const lookAgainMs = 5

/** A folder can be made once only, on every file system. One that is old was left by a process that died. */
async function lock(path: string): Promise<void> {
  for (;;) {
    try {
      await mkdir(path)
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const held = await stat(path).catch(undefinedIfMissing)
    if (held !== undefined && Date.now() - held.mtimeMs > staleMs) await rmdir(path).catch(undefinedIfMissing)
    else await sleep(lookAgainMs)
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
