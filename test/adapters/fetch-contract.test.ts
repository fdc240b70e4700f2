import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { fetchSubject, honoSubject } from '../support/adapters/fetch.ts'

testAdapter({ describe, test: test.concurrent }, fetchSubject)
testAdapter({ describe, test: test.concurrent }, honoSubject)
