import { ClientError } from '../errors.ts'
import { type IntentStorage, memoryStorage } from './storage.ts'

/**
 * A storage that never fails: what the other one can't keep is kept in memory, and `warn` is told. A purchase must go
 * out, and go out once, in a browser that forbids storage, too.
 */
export function tolerantStorage(storage: IntentStorage, warn: (warning: ClientError) => void): IntentStorage {
  const memory = memoryStorage()
  const inMemory = new Set<string>()
  return {
    async change(name, next) {
      if (inMemory.has(name)) return memory.change(name, next)
      let found: string | undefined
      try {
        return await storage.change(name, (kept) => {
          found = kept
          return next(kept)
        })
      } catch (error) {
        // A key that can still be read must not be replaced because it can't be written.
        void memory.change(name, () => found)
        inMemory.add(name)
        warn(storageError(isFull(error) ? 'storage-full' : 'storage-forbidden', name, error))
        return memory.change(name, next)
      }
    },
  }
}

function isFull(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { name, code } = error as { name?: unknown; code?: unknown }
  return name === 'QuotaExceededError' || code === 'ENOSPC' || code === 'EDQUOT'
}

export function storageError(
  code: 'storage-full' | 'storage-forbidden' | 'storage-unreadable',
  name: string,
  cause?: unknown,
): ClientError {
  return new ClientError(code, `${sentences[code]} (intent "${name}")`, { cause })
}

const sentences = {
  'storage-full':
    'The storage is full: the key is kept in memory, and a reload in the middle of the request would lose it.',
  'storage-forbidden':
    'The storage can not be used: the key is kept in memory, and a reload in the middle of the request would lose it.',
  'storage-unreadable': 'What lay in the storage under this intent was not ours, and was replaced.',
}
