// In one file, since one browser serves them all.
import { describe } from 'vitest'
import { openBrowser } from './browser.ts'
import { checkout } from './checkout.ts'
import { parts } from './parts.ts'

const browser = await openBrowser()
if (browser !== undefined) {
  // The machine may have other things to do.
  describe('the checkout', { timeout: 90_000 }, () => checkout(browser))
  describe('the parts', { timeout: 90_000 }, () => parts(browser))
}
