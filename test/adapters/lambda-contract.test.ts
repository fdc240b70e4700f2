import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { lambdaSubject } from '../support/adapters/lambda.ts'

testAdapter({ describe, test: test.concurrent }, lambdaSubject('1.0'))
testAdapter({ describe, test: test.concurrent }, lambdaSubject('2.0'))
