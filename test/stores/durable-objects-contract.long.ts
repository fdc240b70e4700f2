// The whole store contract in workerd, the runtime of Cloudflare: the store and its objects both run there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testStore } from '../../src/testing/store.ts'
import { traits } from './durable-objects/places.ts'
import { startWorkerd } from './durable-objects/workerd.ts'

let workerd: Awaited<ReturnType<typeof startWorkerd>>
beforeAll(async () => {
  workerd = await startWorkerd()
}, 240_000)
afterAll(() => workerd.stop())

const elsewhere = (): never => {
  throw new Error('The cases run in the Worker.')
}

testStore<string>(
  {
    describe,
    test: (name) => {
      test.concurrent(name, async ({ task }) => {
        const wanted = new URLSearchParams({ case: `${task.suite?.name} > ${name}` })
        const reply = await fetch(`${workerd.url}/?${wanted.toString()}`)
        expect(await reply.text()).toBe('passed')
      })
    },
  },
  { ...traits, create: elsewhere, connect: elsewhere, corrupt: elsewhere, makeNewer: elsewhere },
)
