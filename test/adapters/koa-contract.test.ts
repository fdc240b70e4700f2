import koa from 'koa'
import koa2 from 'koa2'
import { describe, test } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { koaSubject } from '../support/adapters/koa.ts'

testAdapter({ describe, test: test.concurrent }, koaSubject('Koa 2', koa2))
testAdapter({ describe, test: test.concurrent }, koaSubject('Koa 3', koa))
