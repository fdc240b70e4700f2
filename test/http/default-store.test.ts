import { describe, test } from 'vitest'
import { defaultStore } from '../../src/http/default-store.ts'
import { testStore } from '../../src/testing/index.ts'

testStore(
  { describe, test },
  {
    name: 'what an adapter takes where it is given no store',
    capabilities: { shared: false, watch: true, inspect: false },
    create: () => undefined,
    connect: () => defaultStore(),
  },
)
