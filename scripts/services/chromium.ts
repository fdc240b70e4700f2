import { type Browser, chromium } from 'playwright-core'
import { install, locate, mayInstall, ServiceMissing } from './programs.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/**
 * A real browser, without a window: the one of this machine, else Debian's.
 *
 * @throws {ServiceMissing}
 */
export async function startChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findOrInstall(),
    args: [
      // Tests run as root in containers, where Chromium's sandbox can't start.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Names that are not this machine's own, for pages without HTTPS.
      '--host-resolver-rules=MAP *.test 127.0.0.1',
    ],
  })
}

function findOrInstall(): string {
  const found = find()
  if (found !== undefined) return found
  if (mayInstall()) {
    install('chromium')
    const installed = find()
    if (installed !== undefined) return installed
  }
  throw new ServiceMissing({ file: 'chromium', package: 'chromium' })
}

function find(): string | undefined {
  return names.map((file) => locate({ file })).find((path) => path !== undefined)
}
