// The services that the checkout calls over HTTP.
import type { Mail, Payments } from './app.ts'

export function paymentsAt(url: string): Payments {
  return {
    async charge(cents, idempotencyKey) {
      return (await post(`${url}/charges`, idempotencyKey, { cents })) as { id: string }
    },
  }
}

export function mailAt(url: string): Mail {
  return {
    async sendReceipt(email, order, idempotencyKey) {
      await post(`${url}/mails`, idempotencyKey, { email, order })
    },
  }
}

async function post(url: string, idempotencyKey: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.json()
}
