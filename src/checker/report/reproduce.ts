import type { CheckReport } from '../run.ts'
import type { Target, TargetOptions } from '../target.ts'
import { authority, type Header, type Request } from '../wire/message.ts'

/** The command that runs one row again. Credentials are left out: reports get shared. */
export function checkAgain(report: CheckReport, id: string): Command {
  const { options } = report.target
  const parts: string[][] = [['hapax', 'check', options.url]]
  const add = (flag: string, value: string | number | undefined): void => {
    if (value !== undefined) parts.push([flag, String(value)])
  }
  if (options.method !== undefined && options.method !== 'POST') add('-X', options.method)
  for (const line of options.headers ?? []) add('-H', masked(report.target, line))
  if (options.fixture === true) parts.push(['--fixture'])
  if (options.fixture !== true || !isDefaultData(options)) add('--data', dataOf(options))
  if (options.fixture !== true) {
    add('--witness', options.witness)
    add('--probe', options.probe)
    add('--slow', options.slow)
  }
  add('--header-name', options.headerName)
  add('--key-member', options.keyMember)
  if (options.secondTenant !== undefined) add('--second-tenant', masked(report.target, options.secondTenant))
  if (options.secondCredential !== undefined)
    add('--second-credential', masked(report.target, options.secondCredential))
  add('--second-url', options.secondUrl)
  add('--http2-url', options.http2Url)
  add('--only', id)
  return commandOf(parts)
}

/** A request as a curl command, when a shell can carry it. */
export function curl(target: Target, request: Request): Command | undefined {
  const body = request.body ?? Buffer.alloc(0)
  if (body.length > 2000 || !isPlain(body.toString('latin1'))) return undefined
  if (!request.headers.every(([, value]) => isPlain(value))) return undefined
  const scheme = request.origin.secure ? 'https' : 'http'
  const url = `${scheme}://${authority(request.origin)}${request.target}`
  const parts = [['curl', '-i', '-X', request.method, url]]
  for (const header of request.headers) parts.push(['-H', maskedHeader(target, header)])
  if (request.framing.kind === 'chunked') parts.push(['-H', 'Transfer-Encoding: chunked'])
  if (request.body !== undefined) parts.push(['--data-binary', body.toString('utf8')])
  return commandOf(parts)
}

/** One shell command: on one line for a terminal, or an option a line for a page. */
export type Command = { readonly line: string; readonly lines: string }

function commandOf(parts: readonly (readonly string[])[]): Command {
  const quoted = parts.map((part) => part.map(shellQuoted).join(' '))
  return { line: quoted.join(' '), lines: quoted.join(' \\\n  ') }
}

/** `Authorization: Bearer …` for what may not be shown. */
export function maskedHeader(target: Target, [name, value]: Header): string {
  if (!target.credentialNames.includes(name.toLowerCase())) return `${name}: ${value}`
  const scheme = /^([A-Za-z]+) /.exec(value)?.[1]
  return `${name}: ${scheme === undefined ? '' : `${scheme} `}…`
}

function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

function masked(target: Target, line: string): string {
  const colon = line.indexOf(':')
  return maskedHeader(target, [line.slice(0, colon).trim(), line.slice(colon + 1).trim()])
}

function isDefaultData(options: TargetOptions): boolean {
  return options.data === '{"marker":"{{marker}}","amount":1}'
}

function dataOf(options: TargetOptions): string | undefined {
  const text = options.data?.toString()
  return text !== undefined && text.length > 2000 ? '@FILE' : text
}

function isPlain(text: string): boolean {
  return !/[^\t\n\x20-\x7e]/.test(text)
}
