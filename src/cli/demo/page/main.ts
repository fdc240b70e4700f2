/** Joins the page's form, its client and the live view of the shops. */
export const main = `
import { buy, newIntent } from '/client.js'
import { createShopView, showPlaces } from '/view.js'

const shops = [
  { name: 'protected', path: '/orders', keyed: true },
  { name: 'unprotected', path: '/unprotected/orders', keyed: false },
].map((shop) => ({ ...shop, view: createShopView(document.getElementById(shop.name)) }))

const till = document.getElementById('till')
const button = document.getElementById('buy')
const killChoices = document.getElementById('kill-choices')

till.addEventListener('change', showChoices)
till.addEventListener('submit', (event) => {
  event.preventDefault()
  if (button.getAttribute('aria-disabled') !== 'true') void purchase()
})
showChoices()
listen()

function showChoices() {
  killChoices.hidden = !till.elements.kill.checked
}

async function purchase() {
  const wishes = readWishes()
  const intent = newIntent()
  setBusy(true)
  try {
    await Promise.all(shops.map(async ({ view, ...shop }) => {
      view.begin(intent, wishes.double)
      view.end(await buy(shop, intent, wishes, view.tell))
    }))
  } finally {
    setBusy(false)
  }
}

function readWishes() {
  const { double, lost, slow, kill, moment, recovery } = till.elements
  return {
    double: double.checked,
    lost: lost.checked,
    slow: slow.checked,
    kill: kill.checked,
    moment: moment.value,
    recovery: kill.checked ? recovery.value : 'look-up',
  }
}

// Not the "disabled" attribute, which would take the keyboard's focus away.
function setBusy(busy) {
  button.setAttribute('aria-disabled', String(busy))
  button.textContent = busy ? 'Buying…' : 'Buy'
}

function listen() {
  const events = new EventSource('/events')
  const lostContact = document.getElementById('lost-contact')
  events.onopen = () => { lostContact.hidden = true }
  events.onerror = () => { lostContact.hidden = false }
  events.onmessage = ({ data }) => {
    const demo = JSON.parse(data)
    showPlaces(demo)
    for (const shop of shops) shop.view.show(demo.shops.find(({ name }) => name === shop.name))
  }
}
`
