export * from '../../src/testing/adapter/raw-http.ts'
