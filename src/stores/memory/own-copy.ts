import type { HeaderList, StoredResponse } from '../../core/record.ts'

/**
 * The response in memory of its own. The caller may write into its buffers again, and a small body may be a
 * view of a large pool that would stay alive as long as the record.
 */
export function ownCopy(response: StoredResponse): StoredResponse {
  if (response.kind === 'tombstone') return { ...response }
  return {
    ...response,
    headers: copyOfHeaders(response.headers),
    ...(response.trailers && { trailers: copyOfHeaders(response.trailers) }),
    body: new Uint8Array(response.body),
  }
}

function copyOfHeaders(headers: HeaderList): HeaderList {
  return headers.map(([name, value]) => [name, value])
}
