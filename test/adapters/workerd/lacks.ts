import type { AdapterNeed } from '../../../src/testing/adapter.ts'

/** What workerd can't do, and why. */
export const lacks: Partial<Record<AdapterNeed, string>> = {
  'spelling of headers': 'workerd sends a name as it was set, but tells it in lower case',
}
