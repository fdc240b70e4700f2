// React, TanStack Query, forms, buttons and the browser's storages, each on a real page before a real server.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import cors from 'cors'
import { build } from 'esbuild'
import express, { type Request } from 'express'
import multer from 'multer'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, type TestContext, test } from 'vitest'
import { idempotency } from '../../src/adapters/express.ts'
import { newCustomer } from './browser.ts'

interface PartsServer {
  readonly port: number
  /** What was really sold, by everybody. */
  readonly sold: string[]
  /** Items whose orders are answered by a connection that breaks, after the handler has done its work. */
  readonly losesAnswersOf: Set<string>
  readonly server: Server
}

export function parts(browser: Browser): void {
  let shop: PartsServer
  beforeAll(async () => void (shop = await openShop()))
  afterAll(() => {
    shop.server.close()
    shop.server.closeAllConnections()
  })
  const soldOf = (item: string) => shop.sold.filter((sold) => sold === item).length

  async function visit(
    { onTestFinished }: TestContext,
    { host = '127.0.0.1', path = '/' } = {},
  ): Promise<Page> {
    const context = await newCustomer(browser)
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`http://${host}:${shop.port}${path}`)
    return page
  }

  test.concurrent.for(['react', 'form', 'files', 'button'])(
    '%s: clicks join, the outcome stays until reset(), and a click after a failure repeats the request',
    async (id, context) => {
      const { expect } = context
      const page = await visit(context)
      const click = (name: string) => page.click(`#${id} .${name}`)
      const shows = async (text: RegExp) => {
        await page.locator(`#${id} output`, { hasText: text }).waitFor()
        return page.textContent(`#${id} output`)
      }
      await page.dblclick(`#${id} .buy`)
      const first = await shows(/^done/)
      await click('buy')
      await new Promise((resolve) => setTimeout(resolve, 250))
      expect([await shows(/^done/), soldOf(id)]).toEqual([first, 1])

      await click('reset')
      await shows(/^idle/)
      shop.losesAnswersOf.add(id)
      await click('buy')
      await shows(/^failed/)
      shop.losesAnswersOf.delete(id)
      await click('buy')
      expect(await shows(/^done/)).not.toBe(first)
      expect(soldOf(id)).toBe(2)
    },
  )

  test.concurrent('react: other variables wait for the outcome, and are another intent then', async (context) => {
    const page = await visit(context)
    // Both before the first can have its answer, however slow the machine.
    await page.evaluate(
      `for (const name of ['third', 'other']) document.querySelector('#react .' + name).click()`,
    )
    await page.locator('#react output', { hasText: /^done third/ }).waitFor()
    context.expect([soldOf('third'), soldOf('other')]).toEqual([1, 0])
    await page.click('#react .other')
    await page.locator('#react output', { hasText: /^done other/ }).waitFor()
    context.expect(soldOf('other')).toBe(1)
  })

  test.concurrent('TanStack Query: the recipe of the docs', async (context) => {
    const page = await visit(context)
    await page.dblclick('#tanstack .buy')
    await page.locator('#tanstack output', { hasText: /^success/ }).waitFor()
    context.expect(soldOf('tanstack')).toBe(1)
  })

  test.concurrent('form: one that a GET would send is refused at once', async (context) => {
    const page = await visit(context)
    const binding = page.evaluate("hapax.idempotentForm(document.createElement('form'))")
    await context.expect(binding).rejects.toThrow('method="post"')
  })

  test.concurrent('form: what is sent is what the browser would send, and the form is busy meanwhile', async (context) => {
    const { expect } = context
    const page = await visit(context)
    const [request] = await Promise.all([
      page.waitForRequest((sent) => sent.method() === 'POST'),
      page.click('#form .buy'),
    ])
    expect(request.postData()).toBe('item=form&by=button')
    expect(request.headers()['content-type']).toMatch(/^application\/x-www-form-urlencoded/)
    expect(await page.getAttribute('#form form', 'aria-busy')).toBe('true')
    await page.locator('#form output', { hasText: /^done/ }).waitFor()
    expect(await page.getAttribute('#form form', 'aria-busy')).toBe('false')
  })

  /** In the page: two clicks at once under one intent, with the warnings that came. */
  const buyTwice = (item: string) => `(async () => {
    const { createIntents, webStorage, orderIn } = globalThis.hapax
    const warnings = []
    const intents = createIntents({ storage: webStorage('local'), onWarning: ({ code }) => warnings.push(code) })
    const buy = () => intents.fetch('/orders', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ item: '${item}' }),
      intent: '${item}',
    }).then(orderIn)
    const [first, second] = await Promise.all([buy(), buy()])
    return { warnings, same: first === second }
  })()`

  test.concurrent('a full storage is told, and the purchase goes out once', async (context) => {
    const page = await visit(context)
    await page.evaluate(`
      let text = 'x'.repeat(4 * 1024 * 1024)
      for (let index = 0; text !== ''; index += 1) {
        try { localStorage.setItem('filler' + index, text) } catch { text = text.slice(text.length / 2 + 1) }
      }`)
    context.expect(await page.evaluate(buyTwice('full'))).toEqual({ warnings: ['storage-full'], same: true })
    context.expect(soldOf('full')).toBe(1)
  })

  test.concurrent('a forbidden storage is told, and the purchase goes out once', async (context) => {
    const page = await visit(context, { path: '/sandbox' })
    context.expect(await page.evaluate(buyTwice('forbidden'))).toEqual({
      warnings: ['storage-forbidden'],
      same: true,
    })
    context.expect(soldOf('forbidden')).toBe(1)
  })

  test.concurrent('without HTTPS there are no Web Locks, and two tabs share a key nevertheless', async (context) => {
    const { expect } = context
    const page = await visit(context, { host: 'shop.test' })
    const other = await page.context().newPage()
    await other.goto(page.url())
    const tabs = [page, other]
    const has = '[typeof navigator.locks, typeof crypto.randomUUID].join()'
    expect(await page.evaluate(has)).toBe('undefined,undefined')
    const bought = await Promise.all(tabs.map((tab) => tab.evaluate(buyTwice('insecure'))))
    expect(bought).toEqual([
      { warnings: [], same: true },
      { warnings: [], same: true },
    ])
    expect(soldOf('insecure')).toBe(1)
  })
}

async function openShop(): Promise<PartsServer> {
  const page = (name: string) => fileURLToPath(new URL(`pages/${name}`, import.meta.url))
  const bundle = await build({
    entryPoints: [page('parts.js')],
    bundle: true,
    write: false,
    define: { 'process.env.NODE_ENV': '"development"' },
  })
  const script = bundle.outputFiles[0]?.text
  const shop = { sold: [] as string[], losesAnswersOf: new Set<string>() }
  const app = express()
  app.set('env', 'test')
  app.use((_, res, next) => {
    // Chromium itself sends a request again on a connection that was used before.
    res.set('Connection', 'close')
    next()
  })
  app.get('/', (_, res) => void res.type('html').send(readFileSync(page('parts.html'), 'utf8')))
  app.get('/parts.js', cors(), (_, res) => void res.type('js').send(script))
  // An origin of its own that may not store anything.
  app.get('/sandbox', (_, res) => {
    res.set('Content-Security-Policy', 'sandbox allow-scripts').type('html')
    res.send(
      readFileSync(page('parts.html'), 'utf8').replace('src="/parts.js"', 'src="/parts.js" crossorigin'),
    )
  })
  app.use(cors({ origin: true }))
  app.use(idempotency<Request>({ scope: false }), express.json(), express.urlencoded())
  app.use('/uploads', multer().any())
  app.post(['/orders', '/uploads'], async (req, res) => {
    const item = String(req.body.item)
    shop.sold.push(item)
    const order = shop.sold.length
    await new Promise((resolve) => setTimeout(resolve, 150))
    if (shop.losesAnswersOf.has(item)) res.socket?.destroy()
    res.status(201).json({ order, item })
  })
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // The server listens on TCP, so its address is an object.
  return Object.assign(shop, { port: (server.address() as AddressInfo).port, server })
}
