import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { fastifySubject } from '../support/adapters/fastify.ts'

testAdapter({ describe, test: test.concurrent }, fastifySubject)
