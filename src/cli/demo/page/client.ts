/** The client of both shops: what a good client does, and nothing that only works in a demo but the faults. */
export const client = `
const patienceMs = 2000
const doubleClickGapMs = 120
const slowMs = 4000
const mostAttempts = 15

// One key for one intent: made when the customer decides, kept through every retry and second click.
export function newIntent() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
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
  for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
    tell({ type: 'sent', attempt, key: shop.keyed ? intent.key : undefined })
    const result = await request(shop, intent, faults)
    const waitMs = pauseAfter(result, attempt)
    tell({ ...result, waitMs })
    if (waitMs === undefined) return result
    await sleep(waitMs)
  }
  const end = { type: 'gave-up' }
  tell(end)
  return end
}

// Undefined where the answer is final. No answer, 409 in progress and 503 are worth another try.
function pauseAfter(result, attempt) {
  if (result.type === 'broken' || result.type === 'timed-out') {
    return Math.min(400 * 2 ** (attempt - 1), 3000) * (0.8 + 0.4 * Math.random())
  }
  const again = result.status === 503 || (result.status === 409 && result.code === 'in-progress')
  return again ? result.retryAfterMs : undefined
}

async function request(shop, intent, faults) {
  const headers = { 'Content-Type': 'application/json', ...faultHeaders(faults) }
  if (shop.keyed) headers['Idempotency-Key'] = intent.key
  try {
    const response = await fetch(shop.path, {
      method: 'POST',
      headers,
      body: JSON.stringify({ item: 'book', quantity: 1, cart: intent.cart }),
      signal: AbortSignal.timeout(patienceMs),
    })
    const body = await response.json()
    if (response.status !== 503) faults.kill = faults.slow = false
    return {
      type: 'answer',
      status: response.status,
      replayed: response.headers.get('Idempotent-Replayed') === 'true',
      found: response.headers.has('Demo-Found'),
      retryAfterMs: 1000 * (Number(response.headers.get('Retry-After')) || 1),
      order: body.order,
      code: body.code,
      title: body.title,
    }
  } catch (error) {
    const timedOut = error.name === 'TimeoutError'
    if (!timedOut && !faults.kill) faults.lost = false
    faults.kill = faults.slow = false
    return { type: timedOut ? 'timed-out' : 'broken' }
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
