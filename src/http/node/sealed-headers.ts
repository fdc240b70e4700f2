import type { ServerResponse } from 'node:http'

// Between the handler's decision on the head and its leaving, Node would still take changes to the headers,
// and the client would get another answer than the record. The seal makes them fail as they do after the head
// has left.

const mutators = ['setHeader', 'appendHeader', 'removeHeader', 'setHeaders'] as const

const before = new WeakMap<ServerResponse, Array<[name: string, own: PropertyDescriptor | undefined]>>()

export function sealHeaders(response: ServerResponse): void {
  if (before.has(response)) return
  before.set(
    response,
    mutators.map((name) => [name, Object.getOwnPropertyDescriptor(response, name)]),
  )
  for (const name of mutators) {
    Object.defineProperty(response, name, { configurable: true, value: refuseChange })
  }
}

/** Puts back what was there: layers further out may still change headers while the head leaves. */
export function unsealHeaders(response: ServerResponse): void {
  for (const [name, own] of before.get(response) ?? []) {
    if (own === undefined) Reflect.deleteProperty(response, name)
    else Object.defineProperty(response, name, own)
  }
  before.delete(response)
}

function refuseChange(): never {
  throw Object.assign(new Error('Cannot set headers after they are sent to the client'), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}
