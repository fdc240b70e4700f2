import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { CommandFailure } from '../failure.ts'
import { temporaryFolder } from './folder.ts'
import { createFront, type Front } from './front.ts'
import { instructions } from './instructions.ts'
import type { Ledger } from './ledger.ts'
import { describeStore, type StoreAddress } from './store-address.ts'
import { untilInterrupted } from './interrupted.ts'
import { openShopfronts, type Shopfront } from './shopfront.ts'

export interface ServeOptions {
  readonly port: number
  readonly host: string
  /** Default: SQLite in a temporary folder, which is removed at the end. */
  readonly store: StoreAddress | undefined
  readonly json: boolean
}

/** Serves the two shops and their page until Ctrl-C. */
export async function serveDemo({ port, host, store: given, json }: ServeOptions): Promise<void> {
  const folder = temporaryFolder()
  const store = given ?? { kind: 'sqlite', file: join(folder, 'records.db') }
  const shopfronts = openShopfronts(store, ledgersBeside(store, folder))
  const front = createFront(shopfronts, describeStore(store))
  const interrupted = untilInterrupted()
  try {
    await listen(front, port, host)
    await Promise.all(shopfronts.map(({ shop }) => shop.start()))
    report({ url: urlOf(front, host), store: describeStore(store), ledgers: ledgersOf(shopfronts), json })
    await interrupted
  } finally {
    front.close()
    await Promise.all(shopfronts.map(({ shop }) => shop.stop()))
  }
}

/** Charges last as long as the records that speak of them. */
function ledgersBeside(store: StoreAddress, folder: string): string {
  return store.kind === 'sqlite' ? store.file : join(folder, store.kind)
}

function listen({ server }: Front, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new CommandFailure(whyNot(error, port, host))),
    )
    server.listen(port, host, () => resolve())
  })
}

function whyNot({ code, message }: NodeJS.ErrnoException, port: number, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken by another program. Stop it, or choose another port: --port 0 takes any that is free.`
    case 'EACCES':
      return `This user may not listen on port ${port}. Choose one above 1023: --port 0 takes any that is free.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address "${host}". Leave --host out to listen on 127.0.0.1.`
    default:
      return `Can't listen on ${host}, port ${port}: ${message}`
  }
}

function urlOf({ server }: Front, host: string): string {
  // A server that listens on TCP has an address of this type.
  const { port } = server.address() as AddressInfo
  const name = host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

function ledgersOf(shopfronts: readonly Shopfront[]): readonly Ledger[] {
  return shopfronts.map(({ ledger }) => ledger)
}

function report({ json, ...demo }: Parameters<typeof instructions>[0] & { json: boolean }): void {
  const ledgers = demo.ledgers.map(({ file }) => file)
  process.stdout.write(json ? `${JSON.stringify({ ...demo, ledgers })}\n` : instructions(demo))
}
