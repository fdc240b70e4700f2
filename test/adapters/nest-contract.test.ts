import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { nestSubject } from '../support/adapters/nest.ts'

testAdapter({ describe, test: test.concurrent }, nestSubject('Express'))
testAdapter({ describe, test: test.concurrent }, nestSubject('Fastify'))
