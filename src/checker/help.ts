import { allCases } from './cases/index.ts'
import { belongs } from './profiles.ts'

export const helpText = `
Examples:
  An API that nobody prepared. Each request gets its own key; the answer's id tells executions apart:
    $ hapax check http://localhost:3000/api/orders --data '{"product_id":"prod_123","quantity":2}'

  With credentials, a unique body each time, and only the rows about safety:
    $ hapax check https://api.example.com/payments -H 'Authorization: Bearer …' \\
        --data '{"reference":"{{uuid}}","amount":100}' --witness /payment/id --profile safety

  A second customer, a slow operation and a counter turn more rows on:
    $ hapax check http://localhost:3000/orders --data @order.json \\
        --second-tenant 'Authorization: Bearer other' --slow '?delayMs={{ms}}' --probe 'http://localhost:3000/count#/orders'

  Another header; a key in the body; one row again; a report to show around:
    $ hapax check http://localhost:3000/orders -d '{"n":1}' --header-name PayPal-Request-Id
    $ hapax check http://localhost:3000/orders -d '{"n":1}' --key-member /idempotency_key
    $ hapax check http://localhost:3000/orders -d '{"n":1}' --only CON-01
    $ hapax check http://localhost:3000/orders -d '{"n":1}' --html report.html

Exit codes: 0 no failure, 1 a failure, 2 could not test.

It really runs the operation, up to --max-effects times. Point it at a test system.
It connects to the hosts you name and to no other.
`

/** Every row, with the profiles it belongs to. */
export function rowList(): string {
  const lines = allCases.map((one) => {
    const profiles = [belongs(one, 'core') ? 'core' : '', belongs(one, 'safety') ? 'safety' : ''].filter(
      (name) => name !== '',
    )
    const needs = one.needs.length === 0 ? '' : ` (needs ${one.needs.join(', ')})`
    return `${one.id.padEnd(7)} ${one.level.padEnd(6)} ${one.safety ? '★' : ' '} ${profiles.join('+').padEnd(11)} ${one.title}${needs}`
  })
  return `${lines.join('\n')}\n`
}
