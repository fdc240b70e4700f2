/** Shows one shop: its process, the purchase that is under way, and its ledger. */
export const view = `
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' })
const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })
const mostRows = 50

export function createShopView(root) {
  const part = Object.fromEntries(
    Array.from(root.querySelectorAll('[data-part]'), (element) => [element.dataset.part, element]))
  let intent
  let begunMs = 0
  let double = false
  let ends
  let charges = []
  let seenRestarts = 0
  showVerdict()

  return {
    begin(nextIntent, isDouble) {
      intent = nextIntent
      begunMs = performance.now()
      double = isDouble
      ends = undefined
      part.steps.replaceChildren()
      showVerdict()
    },
    tell(event) {
      addStep(event.type === 'sent' ? 'out' : toneOf(event), textOf(event), double ? event.click : undefined)
    },
    end(nextEnds) {
      ends = nextEnds
      showVerdict()
    },
    show(shop) {
      showProcess(shop)
      charges = shop.charges
      showLedger()
      showVerdict()
    },
  }

  function addStep(tone, text, click) {
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1)
    const item = make('li', tone, make('span', 'since', seconds + ' s'))
    if (click !== undefined) item.append(make('span', 'click', 'click ' + click))
    item.append(make('span', 'text', text))
    part.steps.append(item)
  }

  function showProcess({ state, pid, restarts }) {
    const up = state === 'up'
    const killed = restarts === 0 ? '' : ', restarted ' + (restarts === 1 ? 'once' : restarts + ' times')
    if (restarts > seenRestarts && intent !== undefined && ends === undefined) {
      addStep('bad', 'Server: killed, and started again' + (up ? ' as process ' + pid : ''))
    }
    seenRestarts = restarts
    part.process.className = 'process ' + (up ? 'up' : 'down')
    part.process.textContent = up ? 'process ' + pid + killed : 'killed, starting again'
  }

  function showLedger() {
    const total = charges.reduce((sum, charge) => sum + charge.amountCents, 0)
    part.total.textContent = counted(charges.length, 'charge') + ', ' + money.format(total / 100)
    const before = new Map()
    const rows = charges.map((charge) => {
      const nth = charge.cart === undefined ? 1 : (before.get(charge.cart) ?? 0) + 1
      before.set(charge.cart, nth)
      return rowOf(charge, nth)
    })
    part.ledger.replaceChildren(rows.length === 0 ? make('p', 'empty', 'No money taken yet.') : tableOf(rows))
  }

  function rowOf(charge, nth) {
    const row = make('tr', [nth > 1 && 'again', charge.cart === intent?.cart && 'current'].filter(Boolean).join(' '))
    const purchase = make('td', '', charge.cart ?? 'no cart')
    if (nth > 1) purchase.append(' ', make('strong', 'badge', 'charge ' + nth))
    row.append(
      purchase,
      make('td', 'order', charge.order),
      make('td', 'amount', money.format(charge.amountCents / 100)),
      make('td', 'at', clock.format(new Date(charge.at))),
    )
    return row
  }

  function showVerdict() {
    const { tone, title, text } = verdictOf()
    const shown = tone + title + text
    if (part.verdict.dataset.shown === shown) return
    part.verdict.dataset.shown = shown
    part.verdict.className = 'verdict ' + tone
    part.verdict.replaceChildren(make('p', 'title', title), make('p', 'text', text))
  }

  // The number of charges comes from the ledger, never from what the shop answered.
  function verdictOf() {
    if (intent === undefined) return { tone: 'idle', title: 'Nothing bought yet', text: 'Choose what goes wrong, then buy.' }
    const count = charges.filter(({ cart }) => cart === intent.cart).length
    const title = count === 0 ? 'Not charged' : count === 1 ? 'Charged once' : 'Charged ' + count + ' times'
    if (ends === undefined) return { tone: count > 1 ? 'bad' : 'waiting', title, text: 'The client is still trying.' }
    const { good, text } = whatCustomerKnows(ends, count)
    return { tone: count > 1 ? 'bad' : good ? 'good' : 'unsure', title, text }
  }

  function whatCustomerKnows(results, count) {
    const orders = new Set(results.filter(({ status }) => status === 201).map(({ order }) => order))
    if (orders.size > 0) {
      return { good: count === 1, text: 'The customer holds ' + (orders.size === 1 ? 'order ' : 'orders ') + [...orders].join(' and ') + '.' }
    }
    if (results.some(({ code }) => code === 'outcome-unknown')) {
      return { good: false, text: 'The customer is told that the outcome is unknown, and is not charged again.' }
    }
    return { good: false, text: 'The customer got no order.' }
  }
}

export function showPlaces({ store, shops }) {
  document.getElementById('store').textContent = store
  document.getElementById('ledgers').replaceChildren(...shops.map(({ ledger }) => make('div', '', ledger)))
}

function tableOf(rows) {
  const head = make('tr', '', ...['Purchase', 'Order', 'Amount', 'Time'].map((name) => {
    const cell = make('th', name === 'Amount' ? 'amount' : name === 'Time' ? 'at' : '', name)
    cell.scope = 'col'
    return cell
  }))
  // The newest first: that is what the reader waits for.
  return make('table', '', make('thead', '', head), make('tbody', '', ...rows.reverse().slice(0, mostRows)))
}

function toneOf({ type, status }) {
  if (type !== 'answer') return 'bad'
  return status === 201 ? 'good' : 'pause'
}

function textOf(event) {
  const then = event.waitMs === undefined ? '' : ' Again in ' + (event.waitMs / 1000).toFixed(1) + ' s.'
  switch (event.type) {
    case 'sent':
      return (event.attempt === 1 ? 'Sends the order' : 'Sends it again') +
        (event.key === undefined ? '' : ', key …' + event.key.slice(-4))
    case 'broken':
      return 'No answer: the connection broke.' + then
    case 'timed-out':
      return 'No answer in 2 s.' + then
    case 'gave-up':
      return 'The client gives up.'
    case 'answer':
      return answerText(event) + then
  }
}

function answerText({ status, replayed, found, order, code, title }) {
  if (status === 201) return '201 ' + order + (found ? ', found in the ledger' : replayed ? ', replayed' : '')
  if (code === 'in-progress') return '409 in progress.'
  if (code === 'outcome-unknown') return '409 outcome unknown: not run again.'
  return status + ' ' + title
}

function counted(count, noun) {
  return count + ' ' + noun + (count === 1 ? '' : 's')
}

function make(tag, className, ...children) {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.append(...children)
  return element
}
`
