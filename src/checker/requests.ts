import { randomUUID } from 'node:crypto'
import type { Facts } from './facts.ts'
import { parseJson, setPointer } from './json.ts'
import type { Knob, Target } from './target.ts'
import { fill } from './template.ts'
import type { Framing, Header, Request } from './wire/message.ts'

/** On whose behalf a request goes: the user's own credentials, another tenant's, a second credential of the
 * same principal, none at all, or a made-up one. */
export type Caller = 'owner' | 'tenant' | 'colleague' | 'nobody' | 'forger'

export type Wanted = {
  /** An opaque key, written in the form that the target accepts. Default: a fresh UUID. */
  readonly key?: string
  /** Raw field values, one header line each; `[]` for no key at all. */
  readonly keyLines?: readonly string[]
  readonly keyName?: string
  readonly body?: Buffer
  /** Headers that replace those of the same name. */
  readonly headers?: readonly Header[]
  readonly method?: string
  /** The whole request target. */
  readonly path?: string
  readonly query?: Readonly<Record<string, string | readonly string[]>>
  readonly slowMs?: number
  readonly retainMs?: number
  readonly caller?: Caller
  readonly at?: 'first' | 'second'
  readonly framing?: Framing
}

/** Makes a request with a fresh key and a fresh marker, but for what is asked for. */
export function makeRequest(target: Target, facts: Facts, wanted: Wanted): Request {
  const marker = `hx-${randomUUID()}`
  const template = wanted.body ?? target.body
  const plain: Request = {
    origin: wanted.at === 'second' && target.secondOrigin !== undefined ? target.secondOrigin : target.origin,
    method: wanted.method ?? target.method,
    target: addQuery(wanted.path ?? target.path, wanted.query ?? {}),
    headers: asCaller(target, wanted.caller ?? 'owner'),
    body: template === undefined ? undefined : fill(template, marker),
    framing: wanted.framing ?? { kind: 'length' },
    marker,
    slowMs: 0,
  }
  const changed = withHeaders(plain, wanted.headers ?? [])
  const slowed = wanted.slowMs === undefined ? changed : turn(changed, target.slow, wanted.slowMs, true)
  const kept =
    wanted.retainMs === undefined ? slowed : turn(slowed, target.retentionKnob, wanted.retainMs, false)
  return withKey(target, facts, kept, wanted)
}

/** The same request under other key lines. */
export function withKeyLines(
  target: Target,
  request: Request,
  lines: readonly string[],
  name?: string,
): Request {
  if (target.key.kind === 'member') return request
  const own = target.key.name.toLowerCase()
  const rest = request.headers.filter(([other]) => other.toLowerCase() !== own)
  return { ...request, headers: [...rest, ...lines.map((value): Header => [name ?? keyName(target), value])] }
}

/** The same request, with these headers in place of those of the same name. */
export function withHeaders(request: Request, headers: readonly Header[]): Request {
  if (headers.length === 0) return request
  const replaced = new Set(headers.map(([name]) => name.toLowerCase()))
  const rest = request.headers.filter(([name]) => !replaced.has(name.toLowerCase()))
  return { ...request, headers: [...rest, ...headers] }
}

export function withoutHeaders(request: Request, names: readonly string[]): Request {
  const gone = new Set(names.map((name) => name.toLowerCase()))
  return { ...request, headers: request.headers.filter(([name]) => !gone.has(name.toLowerCase())) }
}

/** The same request with another body; a key that sits in the body stays. */
export function withBody(target: Target, request: Request, body: Buffer): Request {
  if (target.key.kind === 'header') return { ...request, body }
  const key = keyIn(target, request)
  return { ...request, body: key === undefined ? body : setMember(body, target.key.pointer, key) }
}

/** The same request for another caller. */
export function withCaller(target: Target, request: Request, caller: Caller): Request {
  const bare = withoutHeaders(request, target.credentialNames)
  const credentials = asCaller(target, caller).filter(([name]) =>
    target.credentialNames.includes(name.toLowerCase()),
  )
  return { ...bare, headers: [...credentials, ...bare.headers] }
}

export function withQuery(
  request: Request,
  query: Readonly<Record<string, string | readonly string[]>>,
): Request {
  return { ...request, target: addQuery(request.target, query) }
}

/** How the target takes an opaque key on the wire. */
export function keyValue(facts: Facts, key: string): string {
  return facts.keyForm === 'quoted' ? `"${key}"` : key
}

/** The key a request carries, as text for reports. */
export function keyIn(target: Target, request: Request): string | undefined {
  const { key } = target
  if (key.kind === 'header') {
    const lines = request.headers.filter(([name]) => name.toLowerCase() === key.name.toLowerCase())
    return lines.length === 0 ? undefined : lines.map(([, value]) => value).join(' ⏎ ')
  }
  const body = parseJson(request.body?.toString('utf8') ?? '')
  const found = leafAt(body, key.pointer)
  return typeof found === 'string' ? found : undefined
}

function leafAt(body: ReturnType<typeof parseJson>, pointer: string): unknown {
  let current: unknown = body
  for (const step of pointer.slice(1).split('/')) {
    if (typeof current !== 'object' || current === null) return undefined
    current = Object.getOwnPropertyDescriptor(current, step)?.value
  }
  return current
}

function keyName(target: Target): string {
  return target.key.kind === 'header' ? target.key.name : ''
}

function withKey(target: Target, facts: Facts, request: Request, wanted: Wanted): Request {
  const key = wanted.key ?? randomUUID()
  if (target.key.kind === 'header') {
    const lines = wanted.keyLines ?? [keyValue(facts, key)]
    return withKeyLines(target, request, lines, wanted.keyName)
  }
  if (wanted.keyLines?.length === 0 || request.body === undefined) return request
  return { ...request, body: setMember(request.body, target.key.pointer, key) }
}

function setMember(body: Buffer, pointer: string, value: string): Buffer {
  const parsed = parseJson(body.toString('utf8'))
  return parsed === undefined ? body : Buffer.from(JSON.stringify(setPointer(parsed, pointer, value)))
}

function asCaller(target: Target, caller: Caller): readonly Header[] {
  if (caller === 'owner') return target.headers
  const bare = target.headers.filter(([name]) => !target.credentialNames.includes(name.toLowerCase()))
  if (caller === 'nobody') return bare
  if (caller === 'tenant') return target.tenant === undefined ? target.headers : [...bare, target.tenant]
  if (caller === 'colleague')
    return target.colleague === undefined ? target.headers : [...bare, target.colleague]
  const forged = target.headers.filter(([name]) => target.credentialNames.includes(name.toLowerCase()))
  return [...bare, ...forged.map(([name, value]): Header => [name, forge(value)])]
}

function forge(value: string): string {
  const scheme = /^([A-Za-z]+) /.exec(value)?.[1]
  return scheme === undefined ? 'hapax-check-forged' : `${scheme} hapax-check-forged`
}

function turn(request: Request, knob: Knob | undefined, ms: number, slows: boolean): Request {
  if (knob === undefined) return request
  const value = knob.value.replaceAll('{{ms}}', String(ms))
  const slowed = slows ? { ...request, slowMs: ms } : request
  if (knob.kind === 'query') return { ...slowed, target: addQuery(request.target, { [knob.name]: value }) }
  if (knob.kind === 'header') return withHeaders(slowed, [[knob.name, value]])
  const parsed = parseJson(request.body?.toString('utf8') ?? '')
  if (parsed === undefined) return slowed
  const body = Buffer.from(JSON.stringify(setPointer(parsed, knob.pointer, parseJson(value) ?? value)))
  return { ...slowed, body }
}

function addQuery(path: string, query: Readonly<Record<string, string | readonly string[]>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one) => `${name}=${encodeURIComponent(one)}`),
  )
  if (pairs.length === 0) return path
  return `${path}${path.includes('?') ? '&' : '?'}${pairs.join('&')}`
}
