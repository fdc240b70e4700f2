// Buys one thing under one intent, and says which order it got. Killed, or in company, as the test likes.
import { fileStorage } from '../../../src/client/file.ts'
import { createIntents } from '../../../src/client/intents.ts'

const [folder = '', url = ''] = process.argv.slice(2)
const intents = createIntents({ storage: fileStorage(folder), afterOutcome: 'keep' })
const response = await intents.fetch(url, { method: 'POST', body: 'book', intent: 'cart-17' })
process.send?.(await response.json())
process.disconnect?.()
