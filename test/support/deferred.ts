export * from '../../src/testing/adapter/deferred.ts'
