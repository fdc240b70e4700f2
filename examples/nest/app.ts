import { Controller, Get, HttpCode, Inject, Module, Post, type DynamicModule } from '@nestjs/common'
import { Idempotent, IdempotencyModule, type NestIdempotencyOptions } from 'hapax/nest'
import { Orders } from '../orders.ts'

@Controller()
class OrdersController {
  readonly #orders: Orders

  constructor(@Inject(Orders) orders: Orders) {
    this.#orders = orders
  }

  @Post('api/orders')
  @HttpCode(201)
  @Idempotent()
  create() {
    return this.#orders.create()
  }

  @Get('effects')
  effects() {
    return this.#orders.effects()
  }
}

@Module({ controllers: [OrdersController], providers: [Orders] })
export class AppModule {
  static on(options: NestIdempotencyOptions): DynamicModule {
    return { module: AppModule, imports: [IdempotencyModule.forRoot(options)] }
  }
}
