// A page with each helper of the client on it. Bundled from the sources when the tests run.
import { QueryClient, QueryClientProvider, useMutation } from '@tanstack/react-query'
import { createElement as h, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { idempotentButton, idempotentForm } from '../../../src/client/form.ts'
import { createClient } from '../../../src/client/index.ts'
import { createIntents, webStorage } from '../../../src/client/intents.ts'
import { useIdempotentMutation } from '../../../src/client/react.ts'

const client = createClient({ retries: 0 })
const intents = createIntents({ client })
const cart = { item: 'react' }

async function orderIn(response) {
  if (!response.ok) throw new Error(`refused with ${response.status}`)
  const { order, item } = await response.json()
  return `${item} ${order}`
}

function send(item, fetch) {
  return fetch('/orders', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(item),
  }).then(orderIn)
}

function Shop() {
  const order = useIdempotentMutation((item, { fetch }) => send(item, fetch), { intents })
  return h(
    'section',
    { id: 'react' },
    h('button', { className: 'buy', onClick: () => order.mutate(cart) }, 'Buy'),
    h('button', { className: 'third', onClick: () => order.mutate({ item: 'third' }) }, 'Buy a third thing'),
    h('button', { className: 'other', onClick: () => order.mutate({ item: 'other' }) }, 'Buy another thing'),
    h('button', { className: 'reset', onClick: order.reset }, 'Reset'),
    h('output', null, `${order.status} ${order.data ?? order.error?.code ?? order.error?.message ?? ''}`),
  )
}

// The recipe of docs/client.md.
function TanStackShop() {
  const order = useMutation({
    mutationFn: (item) =>
      intents
        .fetch('/orders', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(item),
          intent: 'cart-17',
          afterOutcome: 'keep',
        })
        .then(orderIn),
    retry: false,
  })
  return h(
    'section',
    { id: 'tanstack' },
    h('button', { className: 'buy', onClick: () => order.mutate({ item: 'tanstack' }) }, 'Buy'),
    h('output', null, `${order.status} ${order.data ?? ''}`),
  )
}

createRoot(document.getElementById('root')).render(
  h(StrictMode, null, h(Shop), h(QueryClientProvider, { client: new QueryClient() }, h(TanStackShop))),
)

function showIn(id) {
  return ({ status, data, error }) => {
    document.querySelector(`#${id} output`).textContent = `${status} ${data ?? error?.message ?? ''}`
  }
}

const bound = {
  form: idempotentForm(document.querySelector('#form form'), orderIn, { intents, onState: showIn('form') }),
  files: idempotentForm(document.querySelector('#files form'), orderIn, {
    intents,
    onState: showIn('files'),
  }),
  button: idempotentButton(
    document.querySelector('#button .buy'),
    ({ fetch }) => send({ item: 'button' }, fetch),
    { intents, onState: showIn('button') },
  ),
}
for (const [id, intent] of Object.entries(bound)) {
  document.querySelector(`#${id} .reset`).addEventListener('click', () => intent.reset())
}

// For what a test says in a page.
globalThis.hapax = { createClient, createIntents, webStorage, orderIn, idempotentForm }
