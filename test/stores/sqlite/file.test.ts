import { describe, test } from 'vitest'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import { testStore } from '../../../src/testing/index.ts'
import { openNode, sqliteSubject } from './places.ts'

testStore(
  { describe, test },
  {
    ...sqliteSubject('a file, on a clock of its own', openNode, ({ file, clock }) =>
      sqliteStore(file, { clock }),
    ),
    advance: ({ clock }, durationMs) => clock.advance(durationMs),
  },
)
