import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'

/** A disk in memory that can be filled. */
export interface SmallDisk {
  readonly folder: string
  fill(): void
  clear(): void
  remove(): void
}

/** @throws Error Where this user may not mount: only root may. */
export function mountSmallDisk(megabytes: number): SmallDisk {
  const folder = temporaryFolder('chaos-disk')
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'hapax-chaos', folder])
  const filler = join(folder, 'filler')
  return {
    folder,
    fill: () => fillUp(filler),
    clear: () => rmSync(filler, { force: true }),
    remove: () => {
      execFileSync('umount', ['--lazy', folder])
      removeFolder(folder)
    },
  }
}

function fillUp(path: string): void {
  const file = openSync(path, 'w')
  try {
    // In ever smaller pieces, until not one page is left.
    for (let size = 2 ** 20; size >= 512; size /= 2) writeUntilFull(file, Buffer.alloc(size, 1))
  } finally {
    closeSync(file)
  }
}

function writeUntilFull(file: number, piece: Buffer): void {
  for (;;) {
    try {
      if (writeSync(file, piece) < piece.length) return
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return
      throw error
    }
  }
}
