// As its README shows it, with the Redis adapter. Decorators are applied by hand: this file is plain JavaScript.
import 'reflect-metadata'
import { Body, Controller, Get, Module, Post, Query } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import nodeIdempotency from '@node-idempotency/nestjs'
import { announce, countEffects, placeOrder, port, redisUrl } from './operation.mjs'

const { Idempotent, NodeIdempotencyModule } = nodeIdempotency

class Orders {
  create(body, delayMs) {
    return placeOrder(body, delayMs)
  }
}
decorate(Orders, 'create', Post('orders'), Idempotent())
Body()(Orders.prototype, 'create', 0)
Query('delayMs')(Orders.prototype, 'create', 1)
Controller()(Orders)

class App {}
Module({
  imports: [
    NodeIdempotencyModule.forRootAsync({ storage: { adapter: 'redis', options: { url: redisUrl } } }),
  ],
  controllers: [Orders],
})(App)

const app = await NestFactory.create(App, { logger: false })
app.getHttpAdapter().get('/effects', countEffects)
await app.listen(port, '127.0.0.1')
announce(app.getHttpServer())

function decorate(target, name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name)
  for (const decorator of decorators) decorator(target.prototype, name, descriptor)
  Object.defineProperty(target.prototype, name, descriptor)
}
