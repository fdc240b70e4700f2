import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { expressSubject } from '../support/adapters/express.ts'
import { expressVersions } from '../support/express.ts'

for (const version of expressVersions)
  testAdapter({ describe, test: test.concurrent }, expressSubject(version))
