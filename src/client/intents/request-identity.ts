import type { RepeatableBody } from '../fetch/body.ts'

/**
 * Tells one request from another: method, target and body. No secret lies in it but a short hash, and the server
 * compares the request itself.
 *
 * @param form What the body was made of, where it was a form: its encoding has another boundary each time.
 */
export async function requestIdentity(
  method: string,
  url: string,
  body: RepeatableBody,
  form: FormData | undefined,
): Promise<string> {
  const content = form === undefined ? new Blob(body ? [body] : []) : formContent(form)
  const bytes = new Uint8Array(await content.arrayBuffer())
  return hash([...new TextEncoder().encode(`${method} ${url}\n`)], bytes)
}

function formContent(form: FormData): Blob {
  return new Blob(
    [...form].flatMap(([name, value]) => {
      if (typeof value === 'string') return [JSON.stringify([name, value])]
      return [JSON.stringify([name, value.name, value.type, value.size]), value]
    }),
  )
}

/** 64 bits. Not cryptography: pages without HTTPS have none, and nobody gains by deceiving his own browser. */
function hash(...parts: readonly Iterable<number>[]): string {
  let first = 0x811c9dc5
  let second = 0x9e3779b1
  for (const part of parts) {
    for (const byte of part) {
      first = Math.imul(first ^ byte, 0x01000193)
      second = Math.imul((second << 5) ^ (second >>> 27) ^ byte, 0x85ebca6b)
    }
  }
  return [first, second].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}
