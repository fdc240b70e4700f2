// Express 4 under the alias that package.json gives it. Its types are those of Express 5: the tests use only
// what both have.
declare module 'express4' {
  import express from 'express'
  export default express
}
