import { createClient, idempotencyProblem, isClientError, newKey } from 'hapax/client'
import { createIntents, webStorage } from 'hapax/client/intents'

const element = (id) => document.getElementById(id)
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' })
const without = location.search === '?without'

// All tabs share the key of a cart, and keep it: a cart is bought once, however often somebody asks.
const intents = createIntents({
  storage: webStorage('local'),
  afterOutcome: 'keep',
  client: createClient({
    attemptTimeout: '15s',
    on: ({ waitMs }) => waitMs !== undefined && say('No answer yet. Trying again…'),
  }),
})

let cart
keepCart(readCart())
element('checkout').addEventListener('submit', (event) => {
  event.preventDefault()
  void buy()
})
element('quantity').addEventListener('change', ({ target }) => {
  keepCart({ ...cart, quantity: Number(target.value) })
})
element('another').addEventListener('click', () => keepCart(newCart()))
addEventListener('storage', ({ key }) => {
  if (key !== 'cart') return
  cart = readCart()
  show()
})
// The page was left in the middle of the purchase: finish it.
if (!without && (await intents.pending(cart.id))) void buy()

async function buy() {
  const { id } = cart
  say('Sending your order…')
  element('checkout').setAttribute('aria-busy', 'true')
  try {
    const response = await send(id, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ cart: id, quantity: cart.quantity }),
    })
    await tell(id, response)
  } catch (error) {
    say(
      isClientError(error) && error.code === 'intent-pending'
        ? 'This cart was changed in the middle of a purchase. Look at your orders first.'
        : 'No answer came. You can try again.',
    )
  } finally {
    element('checkout').removeAttribute('aria-busy')
  }
}

function send(id, init) {
  return without ? fetch('/api/orders', init) : intents.fetch('/api/orders', { ...init, intent: id })
}

async function tell(id, response) {
  if (response.ok) return keepCart({ ...cart, id, order: await response.json() })
  const problem = await idempotencyProblem(response)
  if (problem?.code === 'outcome-unknown')
    return say('We can’t tell yet whether you were charged. We did not charge you twice.')
  say('That did not work. You can try again.')
}

function show() {
  const { quantity, order } = cart
  element('checkout').hidden = order !== undefined
  element('order').hidden = order === undefined
  element('quantity').value = String(quantity)
  element('total').textContent = money.format(quantity * 18)
  element('mode').textContent = without
    ? 'This page sends a plain fetch.'
    : 'This page sends one key for one cart.'
  if (order === undefined) return
  say('')
  element('number').textContent = order.order
  element('paid').textContent = money.format(order.amountCents / 100)
}

function say(text) {
  element('status').textContent = text
}

function newCart() {
  return { id: newKey(), quantity: 1 }
}

function readCart() {
  return JSON.parse(localStorage.getItem('cart')) ?? newCart()
}

function keepCart(next) {
  cart = next
  localStorage.setItem('cart', JSON.stringify(next))
  show()
}
