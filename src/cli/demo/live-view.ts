import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Charge } from './ledger.ts'
import type { Shopfront } from './shopfront.ts'

/** What the page shows of one shop, always read from the process and the ledger themselves. */
export interface ShopView {
  readonly name: Shopfront['name']
  readonly state: 'starting' | 'up' | 'down'
  readonly pid: number | undefined
  readonly restarts: number
  readonly ledger: string
  readonly charges: readonly Charge[]
}

const lookEveryMs = 100

/** Tells every open page (server-sent events) what changed. Looks at nothing while no page is open. */
export class LiveView {
  readonly #shopfronts: readonly Shopfront[]
  readonly #store: string
  readonly #pages = new Set<ServerResponse>()
  #looking = false
  #shown = ''

  constructor(shopfronts: readonly Shopfront[], store: string) {
    this.#shopfronts = shopfronts
    this.#store = store
  }

  add(page: ServerResponse): void {
    page.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    this.#pages.add(page)
    // What was shown last may be old by now: the next look tells everyone.
    this.#shown = ''
    page.once('close', () => this.#pages.delete(page))
    if (!this.#looking) void this.#look()
  }

  close(): void {
    for (const page of this.#pages) page.end()
    this.#pages.clear()
  }

  async #look(): Promise<void> {
    this.#looking = true
    while (this.#pages.size > 0) {
      await this.#show().catch((error: unknown) => process.stderr.write(`hapax: ${String(error)}\n`))
      await sleep(lookEveryMs)
    }
    this.#looking = false
  }

  async #show(): Promise<void> {
    const shops = await Promise.all(this.#shopfronts.map(viewOf))
    const event = `data: ${JSON.stringify({ store: this.#store, shops })}\n\n`
    if (event === this.#shown) return
    this.#shown = event
    for (const page of this.#pages) page.write(event)
  }
}

async function viewOf({ name, shop, ledger }: Shopfront): Promise<ShopView> {
  const { state, restarts } = shop
  return {
    name,
    state: state.kind,
    pid: state.kind === 'up' ? state.pid : undefined,
    restarts,
    ledger: ledger.file,
    charges: await ledger.read(),
  }
}
