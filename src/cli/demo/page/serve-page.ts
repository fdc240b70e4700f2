import type { ServerResponse } from 'node:http'
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
  const file = files.get(path)
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
