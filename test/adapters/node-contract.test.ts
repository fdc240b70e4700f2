import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { nodeSubject } from '../support/adapters/node.ts'

testAdapter({ describe, test: test.concurrent }, nodeSubject)
