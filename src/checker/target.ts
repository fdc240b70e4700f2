import { CannotTest } from './cannot-test.ts'
import { isObject, parseJson } from './json.ts'
import type { Header, Origin } from './wire/message.ts'
import { has } from './wire/message.ts'

/** A knob of the target that takes a number of milliseconds. */
export type Knob =
  | { readonly kind: 'query'; readonly name: string; readonly value: string }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'member'; readonly pointer: string; readonly value: string }

export type KeyPlace =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'member'; readonly pointer: string }

export type Witness =
  | { readonly kind: 'pointer'; readonly pointer: string }
  | { readonly kind: 'header'; readonly name: string }

/** A request whose answer counts effects. With `{{marker}}` in the URL it counts those of one body. */
export type Probe = { readonly url: string; readonly pointer: string; readonly perMarker: boolean }

/** A shell command, or a function when the checker is used as a library. */
export type Hook = string | (() => Promise<void>)

export type Hooks = {
  /** Stops the target cleanly and starts it again. */
  readonly restart?: Hook
  /** SIGKILL. */
  readonly kill?: Hook
  /** SIGTERM. */
  readonly terminate?: Hook
  /** Starts the target again after `kill` or `terminate`. */
  readonly start?: Hook
  readonly storeDown?: Hook
  readonly storeUp?: Hook
}

/** Everything that the user can say about the thing under test. Field names are those of the config file. */
export type TargetOptions = {
  readonly url: string
  readonly method?: string
  /** `Name: value`, as curl takes them. */
  readonly headers?: readonly string[]
  /** The request body, with `{{uuid}}`, `{{marker}}`, `{{now}}`, `{{n}}` filled in for each request. */
  readonly data?: string | Buffer
  /** Another valid body; made from `data` when not given. */
  readonly otherData?: string | Buffer
  /** JSON pointer (`/id`) or header name (`Location`) that differs between executions; guessed when not given. */
  readonly witness?: string
  /** `URL#/pointer`: a counter of effects. */
  readonly probe?: string
  /** `?delayMs={{ms}}`, `X-Delay: {{ms}}` or `/delay={{ms}}`. */
  readonly slow?: string
  readonly slowMs?: number
  readonly headerName?: string
  /** JSON pointer of the member that carries the key, instead of a header. */
  readonly keyMember?: string
  readonly keyForm?: 'auto' | 'quoted' | 'raw'
  /** Whether the target documents the key as required. Found out when not given. */
  readonly keyRequired?: boolean
  readonly secondTenant?: string
  readonly secondCredential?: string
  readonly secondUrl?: string
  readonly http2Url?: string
  /** Where the target's idempotency documentation is. */
  readonly docs?: string
  readonly patch?: { readonly url?: string; readonly data?: string }
  /** Where a created resource is, with `{{witness}}`; the answer's Location when not given. */
  readonly resource?: string
  /** The target understands the reference fixture's query. */
  readonly fixture?: boolean
  /** The target is a gateway before an upstream that is the reference fixture. */
  readonly gateway?: boolean
  readonly retentionMs?: number
  readonly retentionKnob?: string
  readonly hooks?: Hooks
  readonly ignoreHeaders?: readonly string[]
  readonly timeoutMs?: number
  readonly insecure?: boolean
  /** PEM text of the certificate authority to believe. */
  readonly ca?: string
  /** Lengths of operation for CON-09, which is opt-in. */
  readonly longMs?: readonly number[]
}

/** The options read, with the defaults filled in and every mistake in them reported. */
export type Target = {
  readonly options: TargetOptions
  readonly origin: Origin
  readonly method: string
  readonly path: string
  readonly headers: readonly Header[]
  readonly body: Buffer | undefined
  readonly otherBody: Buffer | undefined
  readonly key: KeyPlace
  readonly probe: Probe | undefined
  readonly slow: Knob | undefined
  readonly slowMs: number
  readonly retentionKnob: Knob | undefined
  readonly secondOrigin: Origin | undefined
  readonly tenant: Header | undefined
  readonly colleague: Header | undefined
  readonly credentialNames: readonly string[]
}

const credentialFields = new Set([
  'authorization',
  'cookie',
  'x-api-key',
  'api-key',
  'x-auth-token',
  'proxy-authorization',
])

export function readTarget(given: TargetOptions): Target {
  const options = given.fixture === true ? fixtureDefaults(given) : given
  const url = readUrl(options.url, 'The URL')
  const body = options.data === undefined ? undefined : Buffer.from(options.data)
  const headers = (options.headers ?? []).map((line) => readHeader(line))
  const tenant = options.secondTenant === undefined ? undefined : readHeader(options.secondTenant)
  const colleague = options.secondCredential === undefined ? undefined : readHeader(options.secondCredential)
  return {
    options,
    origin: originOf(url),
    method: (options.method ?? 'POST').toUpperCase(),
    path: url.pathname + url.search,
    headers: withContentType(headers, body),
    body,
    otherBody: options.otherData === undefined ? undefined : Buffer.from(options.otherData),
    key: readKeyPlace(options, body),
    probe: options.probe === undefined ? undefined : readProbe(options.probe),
    slow: options.slow === undefined ? undefined : readKnob(options.slow, '--slow'),
    slowMs: options.slowMs ?? 1000,
    retentionKnob:
      options.retentionKnob === undefined ? undefined : readKnob(options.retentionKnob, '--retention-knob'),
    secondOrigin:
      options.secondUrl === undefined ? undefined : originOf(readUrl(options.secondUrl, 'The second URL')),
    tenant,
    colleague,
    credentialNames: credentialNames(headers, [tenant, colleague]),
  }
}

export function readUrl(text: string, what: string): URL {
  const withScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  let url: URL
  try {
    url = new URL(withScheme)
  } catch {
    throw new CannotTest(`${what} ${JSON.stringify(text)} is not a URL.`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new CannotTest(`${what} ${JSON.stringify(text)} is not http:// or https://.`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new CannotTest(`${what} carries a user name; give -H 'Authorization: …' instead.`)
  }
  return url
}

export function originOf(url: URL): Origin {
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  return { secure, host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

export function isJsonBody(body: Buffer | undefined): boolean {
  return body !== undefined && isObject(parseJson(body.toString('utf8')))
}

export function readWitness(text: string): Witness {
  return text.startsWith('/') ? { kind: 'pointer', pointer: text } : { kind: 'header', name: text }
}

function fixtureDefaults(options: TargetOptions): TargetOptions {
  const base = readUrl(options.url, 'The URL')
  return {
    data: '{"marker":"{{marker}}","amount":1}',
    witness: '/id',
    probe: `${base.origin}/effects?marker={{marker}}#/count`,
    slow: '?delayMs={{ms}}',
    retentionKnob: '?retainMs={{ms}}',
    patch: {},
    resource: '/items/{{witness}}',
    ...options,
  }
}

function readHeader(line: string): Header {
  const colon = line.indexOf(':')
  if (colon < 1) throw new CannotTest(`The header ${JSON.stringify(line)} is not of the form 'Name: value'.`)
  const value = Buffer.from(line.slice(colon + 1).trim(), 'utf8').toString('latin1')
  return [line.slice(0, colon).trim(), value]
}

function withContentType(headers: readonly Header[], body: Buffer | undefined): readonly Header[] {
  const own = [...headers]
  if (!has(own, 'user-agent')) own.push(['User-Agent', 'hapax-check'])
  if (!has(own, 'accept')) own.push(['Accept', '*/*'])
  if (body === undefined || has(own, 'content-type')) return own
  const type = isJsonBody(body) ? 'application/json' : 'application/x-www-form-urlencoded'
  return [...own, ['Content-Type', type]]
}

function readKeyPlace(options: TargetOptions, body: Buffer | undefined): KeyPlace {
  if (options.keyMember === undefined) {
    const name = options.headerName ?? 'Idempotency-Key'
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      throw new CannotTest(`${JSON.stringify(name)} cannot be the name of a header.`)
    }
    return { kind: 'header', name }
  }
  if (!isJsonBody(body))
    throw new CannotTest('A key in a JSON member (--key-member) needs --data that is a JSON object.')
  const pointer = options.keyMember.startsWith('/') ? options.keyMember : `/${options.keyMember}`
  return { kind: 'member', pointer }
}

function readProbe(text: string): Probe {
  const hash = text.lastIndexOf('#')
  const url = hash < 0 ? text : text.slice(0, hash)
  readUrl(url.replaceAll('{{marker}}', 'x'), 'The probe')
  return { url, pointer: hash < 0 ? '' : text.slice(hash + 1), perMarker: url.includes('{{marker}}') }
}

function readKnob(text: string, option: string): Knob {
  const [left, value = '{{ms}}'] = splitKnob(text)
  if (text.startsWith('?')) return { kind: 'query', name: left.slice(1), value }
  if (text.startsWith('/')) return { kind: 'member', pointer: left, value }
  if (text.includes(':')) return { kind: 'header', name: left, value: value.trim() }
  throw new CannotTest(
    `${option} ${JSON.stringify(text)} is not of the form '?name={{ms}}', 'Name: {{ms}}' or '/member={{ms}}'.`,
  )
}

function splitKnob(text: string): [string, string?] {
  const at = text.search(text.startsWith('?') || text.startsWith('/') ? /=/ : /:/)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function credentialNames(headers: readonly Header[], others: readonly (Header | undefined)[]): string[] {
  const names = new Set<string>()
  for (const [name] of headers) if (credentialFields.has(name.toLowerCase())) names.add(name.toLowerCase())
  for (const other of others) if (other !== undefined) names.add(other[0].toLowerCase())
  return [...names]
}
