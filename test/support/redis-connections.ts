import { Redis } from 'ioredis'
import { afterAll } from 'vitest'

/** A connection for a test to look at the server with, closed after the file. */
export function controlOf(url: string): Redis {
  const control = new Redis(url)
  control.on('error', () => {})
  afterAll(() => control.disconnect())
  return control
}
