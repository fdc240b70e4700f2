export * from '../../src/testing/adapter/stores.ts'
