// A program for process-end.test.ts: does what its first argument names, and then lets the process end by itself.

import { createIdempotency, memoryStore, type Store } from '../../src/index.ts'

const request = { key: 'k', scope: false } as const

const programs: Record<string, () => Promise<unknown>> = {
  async unused() {
    createIdempotency()
  },
  async closed() {
    const once = createIdempotency()
    await once.run(request, () => 'done')
    await once.close()
  },
  async left() {
    await createIdempotency().run(request, () => 'done')
  },
  async running() {
    void createIdempotency().run(request, () => new Promise<never>(() => {}))
  },
  /** Without anything else to live for, the process must still not end before the record is safe. */
  async closing() {
    let failures = 3
    const once = createIdempotency({
      store: withComplete(memoryStore(), (complete) => {
        failures -= 1
        return failures >= 0 ? Promise.reject(new Error('down')) : complete()
      }),
      on: ({ type }) => console.log(type),
    })
    await once.run(request, () => 'done')
    await once.close()
    console.log('closed')
  },
  /** A job that waits for a winner elsewhere must live until it has its answer. */
  async waiting() {
    const store = memoryStore()
    void createIdempotency({ store }).run(request, () => new Promise<never>(() => {}))
    const waiter = createIdempotency({ store }).run(
      { ...request, concurrent: { wait: '300ms' } },
      () => 'done',
    )
    console.log(await waiter.catch((error: { code: string }) => error.code))
  },
}

await programs[process.argv[2] ?? '']?.()
console.log('end')

function withComplete(
  store: Store,
  complete: (perform: () => ReturnType<Store['complete']>) => ReturnType<Store['complete']>,
): Store {
  return {
    name: store.name,
    durable: store.durable,
    claim: (...given) => store.claim(...given),
    renew: (...given) => store.renew(...given),
    complete: (...given) => complete(() => store.complete(...given)),
    release: (...given) => store.release(...given),
    abandon: (...given) => store.abandon(...given),
    recordStep: (...given) => store.recordStep(...given),
    close: () => store.close(),
  }
}
