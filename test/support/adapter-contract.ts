import { describe } from 'vitest'
import { comparisonCases } from './contract/comparison.ts'
import { completionCases } from './contract/completion.ts'
import { concurrencyCases } from './contract/concurrency.ts'
import { disconnectCases } from './contract/disconnects.ts'
import { keyCases } from './contract/keys.ts'
import { outcomeCases } from './contract/outcomes.ts'
import { replayCases } from './contract/replay.ts'
import type { AdapterSubject } from './contract/subject.ts'

/** What every HTTP adapter must do, on real sockets. What is special to a framework has its own tests. */
export function adapterContract(subject: AdapterSubject): void {
  describe(`${subject.name}: adapter contract`, () => {
    describe('replay', () => replayCases(subject))
    describe('the end of an answer', () => completionCases(subject))
    describe('disconnects', () => disconnectCases(subject))
    describe('outcomes', () => outcomeCases(subject))
    describe('keys and scopes', () => keyCases(subject))
    describe('same key, same request', () => comparisonCases(subject))
    describe('concurrency', () => concurrencyCases(subject))
  })
}
