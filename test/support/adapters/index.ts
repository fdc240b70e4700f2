import Koa from 'koa'
import koa2 from 'koa2'
import type { AdapterSubject } from '../../../src/testing/adapter.ts'
import { expressVersions } from '../express.ts'
import { expressSubject } from './express.ts'
import { fastifySubject } from './fastify.ts'
import { fetchSubject, honoSubject } from './fetch.ts'
import { koaSubject } from './koa.ts'
import { lambdaSubject } from './lambda.ts'
import { nestSubject } from './nest.ts'
import { nodeSubject } from './node.ts'

/** Every adapter, on each framework version that it serves. */
export const adapterSubjects: readonly AdapterSubject[] = [
  ...expressVersions.map(expressSubject),
  fastifySubject,
  koaSubject('Koa 2', koa2),
  koaSubject('Koa 3', Koa),
  honoSubject,
  nestSubject('Express'),
  nestSubject('Fastify'),
  nodeSubject,
  fetchSubject,
  lambdaSubject('1.0'),
  lambdaSubject('2.0'),
]
