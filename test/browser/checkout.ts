// The page of examples/checkout-web in a real browser, over a network that breaks, and the same page with plain fetch.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest'
import type { Charge } from '../../examples/checkout-web/ledger.ts'
import { startTcpProxy, type TcpProxy } from '../../scripts/services/tcp-proxy.ts'
import { newCustomer } from './browser.ts'
import { CheckoutServer } from './checkout-server.ts'

interface Visit {
  readonly page: Page
  readonly context: BrowserContext
  readonly network: TcpProxy
  readonly server: CheckoutServer
  /** Another tab of the same customer. */
  open(): Promise<Page>
  /** What was really charged for this customer's cart. */
  charges(): Promise<readonly Charge[]>
  /** Resolves when so many charges were made, or more. */
  charged(count: number): Promise<void>
}

/** What happens between a click and its end, and what the customer does where the page has no client. */
interface Trouble {
  readonly name: string
  /** Makes the trouble, from the first click on. */
  make(visit: Visit): Promise<void>
  /** What somebody without the client does then: he sees no order, and clicks again. */
  again(visit: Visit): Promise<void>
}

const click = (page: Page) => page.click('#buy')
const submit = "document.getElementById('checkout').requestSubmit()"

/** Waits until the page has told that nothing came, and clicks; unless Chromium itself has sent the request again. */
async function clickAfterFailure({ page }: Visit): Promise<void> {
  const failure = page.getByText('No answer came')
  await failure.or(page.locator('#order:visible')).waitFor()
  if (await failure.isVisible()) await click(page)
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const troubles: readonly Trouble[] = [
  {
    name: 'a double click',
    make: ({ page }) => page.dblclick('#buy'),
    again: async () => {},
  },
  {
    name: 'a reload in the middle',
    async make({ page, charged }) {
      await click(page)
      await charged(1)
      await page.reload()
    },
    again: ({ page }) => click(page),
  },
  {
    name: 'two tabs',
    async make({ page, open }) {
      const other = await open()
      // At once, however busy the machine: a tab that learns of the other's order has no button any more.
      await Promise.all([page, other].map((tab) => tab.evaluate(submit)))
    },
    again: async () => {},
  },
  {
    name: 'offline in the middle, and online again',
    async make({ page, context, network, charged }) {
      network.holdAnswers()
      await click(page)
      await charged(1)
      await context.setOffline(true)
      network.shut()
      network.resume()
      await sleep(700)
      network.open()
      await context.setOffline(false)
    },
    again: clickAfterFailure,
  },
  {
    name: 'an answer lost on the way',
    async make({ page, network, charged }) {
      network.holdAnswers()
      await click(page)
      await charged(1)
      // Longer than a moment: on a connection that was used before, Chromium itself sends a POST a second time.
      network.shut()
      network.resume()
      await sleep(500)
      network.open()
    },
    again: clickAfterFailure,
  },
  {
    name: 'a server killed and started again',
    async make({ page, server, network, charged }) {
      network.holdAnswers()
      await click(page)
      await charged(1)
      await server.kill()
      network.shut()
      network.resume()
      await sleep(300)
      network.open()
      await server.restart()
    },
    again: clickAfterFailure,
  },
]

export function checkout(chromium: Browser): void {
  let server: CheckoutServer
  beforeAll(async () => void (server = await CheckoutServer.start()))
  afterAll(() => server.close())

  describe.concurrent.each(troubles)('$name', ({ make, again }) => {
    test('ends in one charge, and the page shows its order', async (context) => {
      const visit = await visitShop('/', context)
      await make(visit)
      await visit.page.locator('#order').waitFor()
      const [charge, ...others] = await visit.charges()
      expect(others).toEqual([])
      for (const page of visit.context.pages()) {
        await page.locator('#order').waitFor()
        expect(await page.textContent('#number')).toBe(charge?.order)
      }
    })

    test('without the client: two charges at least', async (context) => {
      const visit = await visitShop('/?without', context)
      await make(visit)
      await again(visit)
      await visit.charged(2)
    })
  })

  test.concurrent('bought while offline: sent once the network is back', async (testContext) => {
    const { page, context, charges } = await visitShop('/', testContext)
    await context.setOffline(true)
    await click(page)
    await page.getByText('Trying again').waitFor()
    expect(await charges()).toEqual([])
    await context.setOffline(false)
    await page.locator('#order').waitFor()
    expect(await charges()).toHaveLength(1)
  })

  test.concurrent('a tab that clicks when another one is done shows that order; another cart is another purchase', async (testContext) => {
    const { page, open, charges } = await visitShop('/', testContext)
    const other = await open()
    await click(page)
    await page.locator('#order').waitFor()
    const [charge, ...others] = await charges()
    expect(others).toEqual([])
    // As if that tab had been asleep, and had not noticed.
    await other.evaluate(submit)
    await other.locator('#order').waitFor()
    expect(await other.textContent('#number')).toBe(charge?.order)
    expect(await charges()).toHaveLength(1)

    await page.click('#another')
    await click(page)
    await page.locator('#order').waitFor()
    const [next] = await charges()
    expect(next?.order).not.toBe(charge?.order)
  })

  async function visitShop(path: string, { onTestFinished, task }: TestContext): Promise<Visit> {
    const killable = task.suite?.name.includes('killed') === true
    const visited = killable ? await CheckoutServer.start() : server
    if (killable) onTestFinished(() => visited.close())
    const network = await startTcpProxy(visited.port)
    onTestFinished(() => network.close())
    const context = await newCustomer(chromium)
    onTestFinished(() => context.close())
    const open = async () => {
      const page = await context.newPage()
      await page.goto(`http://127.0.0.1:${network.port}${path}`)
      return page
    }
    const page = await open()
    const cart = async () =>
      String(await page.evaluate("JSON.parse(localStorage.getItem('cart') ?? '{}').id"))
    return {
      page,
      context,
      network,
      server: visited,
      open,
      charges: async () => visited.charges(await cart()),
      async charged(count) {
        const id = await cart()
        await vi.waitFor(() => expect(visited.charges(id).length).toBeGreaterThanOrEqual(count), {
          timeout: 15_000,
          interval: 20,
        })
      },
    }
  }
}
