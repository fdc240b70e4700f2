export * from './conformance.ts'
export { type JournalSubject, type OwnTransaction, testJournal } from './journal.ts'
export { type StoreCapabilities, type StoreSubject, type TestApi, testStore } from './store.ts'
