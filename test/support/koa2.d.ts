// Koa 2 under its alias; its types are those of Koa 3 as far as these tests go.
declare module 'koa2' {
  import Koa from 'koa'
  export default Koa
}
