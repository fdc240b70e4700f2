import type { ServerResponse } from 'node:http'

// Between the handler's decision on the head and its leaving, Node would still take changes to the headers,
// and the client would get another answer than the record. The seal makes them fail as they do after the head
// has left.

type Mutators = Pick<ServerResponse, 'setHeader' | 'appendHeader' | 'removeHeader' | 'setHeaders'>

/** What stood on the response before it was sealed. */
export type HeaderSeal = Mutators

export function sealHeaders(response: ServerResponse): HeaderSeal {
  const { setHeader, appendHeader, removeHeader, setHeaders } = response
  putMutators(response, refusing)
  return { setHeader, appendHeader, removeHeader, setHeaders }
}

/**
 * Puts back what was there: layers further out may still change headers while the head leaves. By assignment:
 * to delete a property would make the whole response slow for Node's own code.
 */
export function unsealHeaders(response: ServerResponse, seal: HeaderSeal): void {
  putMutators(response, seal)
}

/** One by one: Object.assign() takes ten times as long. */
function putMutators(
  response: Mutators,
  { setHeader, appendHeader, removeHeader, setHeaders }: Mutators,
): void {
  response.setHeader = setHeader
  response.appendHeader = appendHeader
  response.removeHeader = removeHeader
  response.setHeaders = setHeaders
}

const refusing: Mutators = {
  setHeader: refuseChange,
  appendHeader: refuseChange,
  removeHeader: refuseChange,
  setHeaders: refuseChange,
}

function refuseChange(): never {
  throw Object.assign(new Error('Cannot set headers after they are sent to the client'), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}
