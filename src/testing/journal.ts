import assert from 'node:assert/strict'
import type { Journal } from '../core/journal.ts'
import { openingCases } from './journal/openings.ts'
import { recordCases } from './journal/records.ts'
import type { JournalCase, JournalSubject } from './journal/subject.ts'
import { closingCases, transactionCases, withinCases } from './journal/transactions.ts'
import type { TestApi } from './store/subject.ts'

export type { JournalSubject, OwnTransaction } from './journal/subject.ts'

/**
 * The contract of a journal: registers a test for each rule that a journal must follow, each on a place of its own.
 *
 * @param api The `describe` and `test` of vitest, node:test or Jest.
 * @param subject How to make the journals, and how an application writes beside them.
 */
export function testJournal<Place>(api: TestApi, subject: JournalSubject<Place>): void {
  api.describe(`journal contract: ${subject.name}`, () => {
    for (const [group, cases] of Object.entries(groups)) {
      api.describe(group, () => {
        for (const rule of cases) {
          if (rule.needs === undefined || subject.capabilities[rule.needs]) {
            api.test(rule.name, () => tryCase(rule, subject))
          }
        }
      })
    }
  })
}

const groups: Readonly<Record<string, readonly JournalCase[]>> = {
  open: openingCases,
  recordStep: recordCases,
  transact: transactionCases,
  within: withinCases,
  close: closingCases,
}

async function tryCase<Place>(rule: JournalCase, subject: JournalSubject<Place>): Promise<void> {
  const place = await subject.create()
  const journals: Journal[] = []
  const connect = async (): Promise<Journal> => {
    const journal = await subject.connect(place)
    journals.push(journal)
    assert.equal(typeof journal.name, 'string')
    return journal
  }
  try {
    await rule.run({
      journal: await connect(),
      connect,
      addEffect: (transaction, effect) => subject.addEffect(place, transaction, effect),
      effects: (effect) => subject.effects(place, effect),
      begin: () => subject.begin(place),
      idle: () => subject.idle(place),
    })
  } finally {
    await Promise.all(journals.map((journal) => journal.close()))
    await subject.destroy?.(place)
  }
}
