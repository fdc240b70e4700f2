export * from './conformance.ts'
export { type StoreCapabilities, type StoreSubject, type TestApi, testStore } from './store.ts'
