import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { headerOf, linesOf, type HeaderLine, problem, type ReadRequest, type Reply } from './messages.ts'
import { type RecordStore, StoreDown } from './store.ts'

/**
 * A correct idempotency layer, as small as it can be: one process, one store, buffered answers. It exists so
 * that the checker has something right to judge, and so that a server in another language has something
 * short to copy from. It is not hapax, and shares no code with it.
 */
export type Guard = (call: GuardedCall) => Promise<Reply>

export type GuardedCall = {
  readonly request: ReadRequest
  readonly principal: string
  readonly store: RecordStore
  readonly retainMs: number
  run(): Promise<Reply>
}

export type KeyReading =
  | { readonly kind: 'absent' }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'malformed'; readonly why: string }

/** The decisions of the layer, each replaceable by itself: the rogues of the tests replace one. */
export type LayerParts = {
  readonly required: boolean
  readKey(lines: readonly string[]): KeyReading
  scope(principal: string, key: string): string
  fingerprint(request: ReadRequest): string
  keeps(reply: Reply): boolean
  toStore(reply: Reply): Reply
  toReplay(stored: Reply, request: ReadRequest): Reply
}

const maxKeyLength = 1024

export const soundParts: LayerParts = {
  required: true,
  readKey,
  scope: (principal, key) => JSON.stringify([principal, key]),
  fingerprint,
  keeps: (reply) => ![401, 403, 425, 429].includes(reply.status),
  toStore: (reply) => ({ ...reply, headers: reply.headers.filter(([name]) => storable(name, reply)) }),
  toReplay: (stored) => ({ ...stored, headers: [...stored.headers, ['Idempotent-Replayed', 'true']] }),
}

export function soundGuard(changes: Partial<LayerParts> = {}): Guard {
  const parts = { ...soundParts, ...changes }
  return async (call) => {
    const reading = parts.readKey(linesOf(call.request, 'idempotency-key'))
    if (reading.kind === 'malformed')
      return problem(400, 'malformed-key', 'The key is malformed', reading.why)
    if (reading.kind === 'absent') {
      if (!parts.required) return call.run()
      return problem(
        400,
        'missing-key',
        'The key is missing',
        'This operation needs an Idempotency-Key header.',
      )
    }
    const id = parts.scope(call.principal, reading.key)
    try {
      return await once(parts, call, id)
    } catch (error) {
      if (!(error instanceof StoreDown)) throw error
      return problem(503, 'store-unavailable', 'The store is unavailable', 'Nothing was done.', [
        ['Retry-After', '1'],
      ])
    }
  }
}

export const answers = {
  reused: (): Reply =>
    problem(422, 'key-reused', 'The key was used for another request', 'Send a new key with a new request.'),
  inProgress: (): Reply =>
    problem(409, 'in-progress', 'The first request is still running', 'Try again shortly.', [
      ['Retry-After', '1'],
    ]),
  unknown: (): Reply =>
    problem(
      409,
      'outcome-unknown',
      'The outcome is unknown',
      'The server died while it ran. Look before you retry.',
    ),
}

async function once(parts: LayerParts, call: GuardedCall, id: string): Promise<Reply> {
  const print = parts.fingerprint(call.request)
  const claim = call.store.claim(id, print)
  if (claim.kind === 'claimed') return finish(parts, call, id, print, await runSafely(call))
  const { record } = claim
  if (record.fingerprint !== print) return answers.reused()
  if (record.state === 'done') return parts.toReplay(record.reply, call.request)
  return record.state === 'running' ? answers.inProgress() : answers.unknown()
}

async function finish(
  parts: LayerParts,
  call: GuardedCall,
  id: string,
  print: string,
  reply: Reply,
): Promise<Reply> {
  if (!parts.keeps(reply)) {
    call.store.write(id, undefined)
    return reply
  }
  const expiresAt = Date.now() + call.retainMs
  const record = { state: 'done', fingerprint: print, reply: parts.toStore(reply), expiresAt } as const
  try {
    call.store.write(id, record)
  } catch {
    // The effect has happened: the client is told the truth, the record follows when the store is back.
    void keepTrying(() => call.store.write(id, record))
  }
  return reply
}

async function keepTrying(write: () => void): Promise<void> {
  for (;;) {
    await sleep(50)
    try {
      write()
      return
    } catch {
      // Still down.
    }
  }
}

/** A handler that throws after its effect must not run again: its failure is an outcome too. */
async function runSafely(call: GuardedCall): Promise<Reply> {
  try {
    return await call.run()
  } catch {
    return problem(500, 'internal-error', 'Something went wrong', 'The failure was recorded under the key.')
  }
}

function readKey(lines: readonly string[]): KeyReading {
  const [line] = lines
  if (line === undefined || (lines.length === 1 && line === '')) return { kind: 'absent' }
  if (lines.length > 1) return malformed('More than one header line.')
  const key = line.startsWith('"') ? parseString(line) : bareKey(line)
  if (key === undefined) return malformed('Neither an RFC 9651 String nor a bare key.')
  if (key.trim() === '') return malformed('Blank.')
  return key.length > maxKeyLength
    ? malformed(`Longer than ${maxKeyLength} characters.`)
    : { kind: 'key', key }
}

function malformed(why: string): KeyReading {
  return { kind: 'malformed', why }
}

function bareKey(line: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9._~:/+=@-]*$/.test(line) ? line : undefined
}

/** RFC 9651, section 4.2: an Item that is a String, its parameters ignored. */
export function parseString(line: string): string | undefined {
  const match = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(.*)$/.exec(line)
  if (match === null) return undefined
  const parameter =
    /^(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|[A-Za-z0-9?:@%*._~/+=-]+))?)*$/
  if (!parameter.test((match[2] ?? '').trimEnd())) return undefined
  return (match[1] ?? '').replaceAll(/\\(["\\])/g, '$1')
}

/** Method, target, media type and body; JSON by value, everything else by its bytes. */
export function fingerprint(request: ReadRequest): string {
  const type = headerOf(request, 'content-type').split(';')[0]?.trim().toLowerCase() ?? ''
  const hash = createHash('sha256')
  hash.update(JSON.stringify([request.method, request.target, type, headerOf(request, 'content-encoding')]))
  hash.update(type === 'application/json' ? canonical(request.body) : request.body)
  return hash.digest('base64')
}

function canonical(body: Buffer): Buffer {
  try {
    return Buffer.from(JSON.stringify(sorted(JSON.parse(body.toString('utf8')))))
  } catch {
    return body
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const pairs = Object.entries(value).map(([name, one]): [string, unknown] => [name, sorted(one)])
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const neverStored = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'date',
  'age',
  'set-cookie',
])

function storable(name: string, reply: Reply): boolean {
  const lower = name.toLowerCase()
  const named = reply.headers
    .filter(([own]) => own.toLowerCase() === 'connection')
    .flatMap(([, value]: HeaderLine) => value.toLowerCase().split(/\s*,\s*/))
  return !neverStored.has(lower) && !named.includes(lower)
}
