import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll } from 'vitest'
import { startChromium } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'

/** One Chromium for a file's tests; undefined where there is none, and the file says so. */
export async function openBrowser(): Promise<Browser | undefined> {
  const browser = await servers(startChromium)
  if (browser !== undefined) afterAll(() => browser.close())
  return browser
}

/** A customer: cookies and storage of his own. */
export async function newCustomer(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext()
  context.setDefaultTimeout(40_000)
  return context
}
