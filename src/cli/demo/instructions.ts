import type { Ledger } from './ledger.ts'

/** What `hapax demo` prints when it is ready. */
export function instructions(demo: { url: string; store: string; ledgers: readonly Ledger[] }): string {
  const { url, store, ledgers } = demo
  return `
hapax demo: two shops side by side, one with hapax and one without.

  Open  ${url}

Or order from here. Send this twice: the second answer is the first one again, marked Idempotent-Replayed: true.

${order(url, '{"item":"book","quantity":1}')}

The same key with another order is refused with 422:

${order(url, '{"item":"book","quantity":2}')}

Kill the server (SIGKILL) after it charged and before it answered. Then send the line without Demo-Fault, a few
times: 409 in progress until the dead server's lease is over (3 s), then the order that was charged.

${order(url, '{"item":"coffee"}', 'order-2', "-H 'Demo-Fault: kill-after-charge' ")}

What was really charged:

  curl ${url}/orders

  store    ${store}
  ledgers  ${ledgers.map(({ file }) => file).join('\n           ')}

No browser at hand? "hapax demo --storm" judges both shops in a storm of a thousand purchases.
Ctrl-C stops everything.
`
}

function order(url: string, body: string, key = 'order-1', fault = ''): string {
  return `  curl -i ${url}/orders -H 'Idempotency-Key: ${key}' ${fault}\\
    -H 'Content-Type: application/json' -d '${body}'`
}
