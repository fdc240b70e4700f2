import type { Store } from '../core/store.ts'
import { memoryStore } from '../stores/memory.ts'
import { comparisonCases } from './adapter/comparison.ts'
import { completionCases } from './adapter/completion.ts'
import { concurrencyCases } from './adapter/concurrency.ts'
import { disconnectCases } from './adapter/disconnects.ts'
import { keyCases } from './adapter/keys.ts'
import { mistakeCases } from './adapter/mistakes.ts'
import { outcomeCases } from './adapter/outcomes.ts'
import { replayCases } from './adapter/replay.ts'
import type { AdapterCase, AdapterServer, AdapterSubject } from './adapter/subject.ts'
import type { TestApi } from './store/subject.ts'

export type {
  AdapterAnswer,
  AdapterHandler,
  AdapterMount,
  AdapterNeed,
  AdapterOptions,
  AdapterRequest,
  AdapterServer,
  AdapterSubject,
  HeaderReader,
} from './adapter/subject.ts'

/**
 * The contract of an HTTP adapter: registers a test for each rule that it must follow, each on real sockets and
 * on servers of its own. Cases do not disturb each other, so they may run side by side.
 *
 * @param api The `describe` and `test` of vitest, node:test or Jest; `test.concurrent` where there is one.
 * @param subject How to serve a handler behind the adapter.
 * @example
 * import { describe, test } from 'node:test'
 *
 * testAdapter({ describe, test }, {
 *   name: 'my framework',
 *   start: (options, handler) => listen(createApp().use(idempotency(options)).all((request) => handler(…))),
 * })
 */
export function testAdapter(api: TestApi, subject: AdapterSubject): void {
  api.describe(`adapter contract: ${subject.name}`, () => {
    for (const [group, cases] of Object.entries(adapterCases)) {
      const fitting = cases.filter((rule) => leftOut(rule, subject) === undefined)
      // Some runners take a group without tests for a mistake.
      if (fitting.length === 0) continue
      api.describe(group, () => {
        for (const rule of fitting) api.test(rule.name, () => tryAdapterCase(rule, subject))
      })
    }
  })
}

/** How many cases the contract has for a subject, and which are left out, by the reason that it gives. */
export function extentOf(subject: AdapterSubject): {
  readonly fitting: number
  readonly leftOut: ReadonlyMap<string, number>
} {
  const reasons = Object.values(adapterCases).flatMap((cases) => cases.map((rule) => leftOut(rule, subject)))
  const left = new Map<string, number>()
  for (const reason of reasons) if (reason !== undefined) left.set(reason, (left.get(reason) ?? 0) + 1)
  return { fitting: reasons.filter((reason) => reason === undefined).length, leftOut: left }
}

/** The whole contract, by group. */
const adapterCases: Readonly<Record<string, readonly AdapterCase[]>> = {
  replay: replayCases,
  'the end of an answer': completionCases,
  disconnects: disconnectCases,
  outcomes: outcomeCases,
  'keys and scopes': keyCases,
  'same key, same request': comparisonCases,
  concurrency: concurrencyCases,
  mistakes: mistakeCases,
}

/** Why a case is left out for a subject, or `undefined` where it applies. */
function leftOut(rule: AdapterCase, subject: AdapterSubject): string | undefined {
  const missing = rule.needs?.find((need) => subject.lacks?.[need] !== undefined)
  return missing && subject.lacks?.[missing]
}

/** Runs one case on servers of its own. Rejects where the adapter breaks the rule. */
async function tryAdapterCase(rule: AdapterCase, subject: AdapterSubject): Promise<void> {
  const servers: AdapterServer[] = []
  const stores: Store[] = []
  const createStore = (): Store => {
    const store = subject.createStore?.() ?? memoryStore()
    stores.push(store)
    return store
  }
  try {
    await rule.run({
      createStore,
      async start(options, handler, mount = {}) {
        const guarded = { ...options, store: options.store ?? createStore() }
        const server = await subject.start(guarded, handler, mount)
        servers.push(server)
        return server
      },
    })
  } finally {
    await Promise.all(servers.map(async (server) => server.close()))
    await Promise.all(stores.map((store) => store.close()))
  }
}
