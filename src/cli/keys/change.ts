import { appendFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import type { InspectedRecord, Inspection, Resolution } from '../../core/store.ts'
import { CommandFailure } from '../failure.ts'
import { find, type KeyName } from './search.ts'
import { summaryOf } from './summary.ts'

/** What an operator does to a key by hand. */
export type KeyChange =
  | { readonly kind: 'release' }
  | { readonly kind: 'forget' }
  | {
      readonly kind: 'settle'
      readonly status: number
      readonly body: string | undefined
      readonly contentType: string
    }

export interface ChangeSettings extends KeyName {
  readonly yes?: boolean
  readonly json?: boolean
  readonly auditFile?: string
}

/** Changes one key, after asking, and says so in an audit line. */
export async function changeKeys(
  inspect: Inspection,
  key: string,
  change: KeyChange,
  { yes = false, json = false, auditFile, ...name }: ChangeSettings,
): Promise<void> {
  const found = await find(inspect, key, name)
  if (!yes && !(await confirmed(found, change))) throw new CommandFailure('Nothing was changed.')
  await carryOut(inspect, found.id, change)
  audit(found, change, auditFile)
  const done = { release: 'released', forget: 'forgotten', settle: 'settled' }[change.kind]
  console.log(json ? JSON.stringify({ id: found.id, done }) : `${found.id} ${done}.`)
}

async function carryOut(inspect: Inspection, id: string, change: KeyChange): Promise<void> {
  if (change.kind === 'forget') {
    if (await inspect.forget(id)) return
    throw new CommandFailure('The record was gone already.')
  }
  const result = await inspect.settle(id, resolutionOf(change))
  if (result !== 'settled') throw new CommandFailure(reasons[result])
}

function resolutionOf(change: Exclude<KeyChange, { kind: 'forget' }>): Resolution {
  if (change.kind === 'release') return { kind: 'release' }
  const { status, body = '', contentType } = change
  const headers = body === '' ? [] : [['content-type', contentType] as const]
  return { kind: 'response', response: { kind: 'kept', status, headers, body: Buffer.from(body) } }
}

const reasons = {
  absent: 'The record is gone, or stands for no request: there is nothing to settle.',
  running: 'Its owner is alive and renews its lease. Wait for it, or stop that process first.',
  completed:
    'It has a good outcome, and that stays. (hapax keys forget deletes it, and lets its key run again.)',
  unreadable: 'The record can’t be read. hapax keys forget deletes it, and lets its key run again.',
} as const

async function confirmed(found: InspectedRecord, change: KeyChange): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandFailure('Nobody is there to be asked. Give --yes if you are sure.')
  }
  const { state, scope = '–', key = found.id } = summaryOf(found, Date.now())
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const question = `${key} of ${scope} is ${state}. ${consequence(change)} Type "yes" to go on: `
    return (await lines.question(question)).trim() === 'yes'
  } finally {
    lines.close()
  }
}

function consequence(change: KeyChange): string {
  if (change.kind !== 'settle') return 'The next request with it runs, also if it had its effect already.'
  return `Every retry will get ${change.status}${change.body === undefined ? ', without a body' : ''}.`
}

/** One line of JSON for whoever asks later who did this. */
function audit(found: InspectedRecord, change: KeyChange, file: string | undefined): void {
  const { state, scope, key, attempt } = summaryOf(found, Date.now())
  const { kind: action, ...details } = change
  const entry = {
    at: new Date().toISOString(),
    by: userInfo().username,
    action,
    id: found.id,
    state,
    scope,
    key,
    attempt,
  }
  const line = `${JSON.stringify({ ...entry, ...('status' in details && { status: details.status }) })}\n`
  if (file === undefined) process.stderr.write(`audit ${line}`)
  else appendFileSync(file, line)
}
