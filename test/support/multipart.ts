export * from '../../src/testing/adapter/multipart.ts'
