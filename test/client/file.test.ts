import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fileStorage } from '../../src/client/file.ts'
import { createIntents } from '../../src/client/intents.ts'
import { openShop } from './shop.ts'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'hapax-client-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function startBuyer(url: string): ChildProcess {
  return fork(fileURLToPath(new URL('children/buyer.ts', import.meta.url)), [folder, url])
}

test('keeps a text under a name, changes it in one step, and forgets it', async () => {
  const storage = fileStorage(join(folder, 'made', 'when', 'needed'))
  const name = 'cart/../17\n'
  expect(await storage.change(name, (kept) => kept)).toBeUndefined()
  expect(await storage.change(name, () => 'a')).toBe('a')
  await Promise.all(
    Array.from({ length: 30 }, async () =>
      fileStorage(join(folder, 'made/when/needed')).change(name, (kept) => `${kept}b`),
    ),
  )
  expect(await storage.change(name, (kept) => kept)).toBe(`a${'b'.repeat(30)}`)
  await storage.change(name, () => undefined)
  expect(readdirSync(join(folder, 'made/when/needed'))).toEqual([])
})

test('processes that begin one intent at once share its key', async () => {
  const shop = await openShop({ workMs: 200 })
  const buyers = [1, 2, 3].map(() => startBuyer(shop.url))
  const orders = await Promise.all(buyers.map(async (buyer) => (await once(buyer, 'message'))[0]))
  expect(shop.sold).toEqual(['book'])
  expect(orders).toMatchObject([{ order: 1 }, { order: 1 }, { order: 1 }])
}, 60_000)

test('a process killed in the middle of a purchase repeats it when it starts again', async () => {
  const shop = await openShop({ workMs: 400 })
  const killed = startBuyer(shop.url)
  await vi.waitFor(() => expect(shop.sold).toEqual(['book']), { timeout: 30_000, interval: 10 })
  killed.kill('SIGKILL')
  const [order] = await once(startBuyer(shop.url), 'message')
  expect(order).toMatchObject({ order: 1 })
  expect(shop.sold).toEqual(['book'])
}, 60_000)

test('a lock that a dead process left behind is taken over', async () => {
  const path = join(folder, createHash('sha256').update('cart-17').digest('hex'))
  mkdirSync(`${path}.lock`)
  const longAgo = new Date(Date.now() - 60_000)
  utimesSync(`${path}.lock`, longAgo, longAgo)
  expect(await fileStorage(folder).change('cart-17', () => 'a')).toBe('a')
})

test.skipIf(process.platform === 'win32')(
  'a folder that can’t be used is told, and the purchase goes out once',
  async () => {
    const shop = await openShop()
    writeFileSync(join(folder, 'file'), '')
    chmodSync(folder, 0o500)
    const codes: string[] = []
    const intents = createIntents({
      storage: fileStorage(join(folder, 'file', 'below')),
      onWarning: ({ code }) => codes.push(code),
    })
    await Promise.all([1, 2].map(() => intents.fetch(shop.url, { method: 'POST', body: 'book' })))
    expect(codes).toEqual(['storage-forbidden'])
    expect(shop.sold).toEqual(['book'])
    chmodSync(folder, 0o700)
  },
)
