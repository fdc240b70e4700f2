import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
// Whole, since Node 20 lacks the one name that is needed, in a checkout only.
import * as modules from 'node:module'
import { moduleFile, ownFile } from '../../own-files.ts'
import { client } from './client.ts'
import { html } from './html.ts'
import { main } from './main.ts'
import { style } from './style.ts'
import { view } from './view.ts'

const script = 'text/javascript; charset=utf-8'

/** The files of the page, as modules, so that the compiled package carries them too. */
const files = new Map([
  ['/', { type: 'text/html; charset=utf-8', content: html }],
  ['/style.css', { type: 'text/css; charset=utf-8', content: style }],
  ['/main.js', { type: script, content: main }],
  ['/client.js', { type: script, content: client }],
  ['/view.js', { type: script, content: view }],
])

/** False if the page has no such file. */
export function servePage(path: string, response: ServerResponse): boolean {
  const file = files.get(path) ?? moduleOfHapax(path)
  if (file === undefined) return false
  response.writeHead(200, {
    'Content-Type': file.type,
    'Cache-Control': 'no-store',
    'Content-Security-Policy':
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:",
  })
  response.end(file.content)
  return true
}

/** What browsers may have of hapax: the client, and the facts of the wire that it imports. */
const modulePath = /^\/hapax\/((?:client|protocol)\/(?:[a-z-]+\/)?[a-z0-9-]+)\.(?:ts|js)$/

/** `hapax/client` itself, file by file: compiled, or as it stands in a checkout. */
function moduleOfHapax(path: string): { type: string; content: string } | undefined {
  const name = modulePath.exec(path)?.[1]
  if (name === undefined || path !== `/hapax/${moduleFile(name)}`) return undefined
  try {
    const source = readFileSync(ownFile(moduleFile(name)), 'utf8')
    return { type: script, content: path.endsWith('.ts') ? modules.stripTypeScriptTypes(source) : source }
  } catch {
    return undefined
  }
}
