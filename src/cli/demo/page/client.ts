import { moduleFile } from '../../own-files.ts'

const library = `/hapax/${moduleFile('client/index')}`

/** The customer's side of both shops: hapax/client, and faults that a real page would not ask for. */
export const client = `
import { createClient, idempotencyProblem, isClientError, newKey } from '${library}'

const doubleClickGapMs = 120
const slowMs = 4000

// One key for one intent: made when the customer decides, kept through every retry and second click.
export function newIntent() {
  const key = newKey()
  return { key, cart: 'cart-' + key.slice(-4) }
}

// Buys at one shop. Resolves with how each click ended.
export function buy(shop, intent, wishes, tell) {
  const first = insist(shop, intent, { ...wishes }, (event) => tell({ ...event, click: 1 }))
  if (!wishes.double) return Promise.all([first])
  const calm = { ...wishes, lost: false, slow: false, kill: false }
  const second = sleep(doubleClickGapMs).then(() =>
    insist(shop, intent, calm, (event) => tell({ ...event, click: 2 })))
  return Promise.all([first, second])
}

async function insist(shop, intent, faults, tell) {
  let told = Promise.resolve()
  const client = createClient({
    attemptTimeout: '2s',
    retries: 14,
    fetch: (url, init) => attempt(url, init, shop, faults),
    on: (event) => { told = told.then(() => report(event, shop, tell)) },
  })
  try {
    const response = await client.fetch(shop.path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ item: 'book', quantity: 1, cart: intent.cart }),
      idempotencyKey: intent.key,
    })
    await told
    return await resultOf(response)
  } catch (error) {
    await told
    if (!isClientError(error)) throw error
    const end = { type: 'gave-up' }
    tell(end)
    return end
  }
}

// One attempt, with the faults that it asks the demo for.
async function attempt(url, init, shop, faults) {
  const headers = new Headers(init.headers)
  if (!shop.keyed) headers.delete('Idempotency-Key')
  for (const [name, value] of Object.entries(faultHeaders(faults))) headers.set(name, value)
  try {
    const response = await fetch(url, { ...init, headers })
    if (response.status !== 503) faults.kill = faults.slow = false
    return response
  } catch (error) {
    if (error.name !== 'TimeoutError' && !faults.kill) faults.lost = false
    faults.kill = faults.slow = false
    throw error
  }
}

async function report(event, shop, tell) {
  switch (event.type) {
    case 'sent':
      return tell({ type: 'sent', attempt: event.attempt, key: shop.keyed ? event.key : undefined })
    case 'answer':
      return tell({ ...(await resultOf(event.response)), waitMs: event.waitMs })
    case 'failed':
      return tell({ type: event.error.name === 'TimeoutError' ? 'timed-out' : 'broken', waitMs: event.waitMs })
  }
}

async function resultOf(response) {
  const body = await response.clone().json()
  const problem = await idempotencyProblem(response)
  return {
    type: 'answer',
    status: response.status,
    replayed: response.headers.get('Idempotent-Replayed') === 'true',
    found: response.headers.has('Demo-Found'),
    order: body.order,
    code: problem?.code,
    title: body.title,
  }
}

// Faults strike once: whatever struck is not asked for again by the next try.
function faultHeaders({ lost, slow, kill, moment, recovery }) {
  const faults = [kill && moment, lost && 'answer-lost'].filter(Boolean)
  return {
    ...(faults.length > 0 && { 'Demo-Fault': faults.join(', ') }),
    ...(slow && { 'Demo-Work-Ms': String(slowMs) }),
    ...(recovery === 'refuse' && { 'Demo-Recovery': 'refuse' }),
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
`
