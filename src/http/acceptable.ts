import type { KeptResponse } from '../core/record.ts'
import { acceptsContentEncoding, decodeContent } from './content-coding.ts'

/**
 * The recorded answer in a form that this client can read: one that was compressed before it was recorded is
 * decoded for a client that does not accept that coding.
 */
export async function acceptable(
  acceptEncoding: string | undefined,
  recorded: KeptResponse,
  maxDecodedBytes: number,
): Promise<KeptResponse> {
  const coding = recorded.headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]
  if (coding === undefined || acceptsContentEncoding(acceptEncoding, coding)) return recorded
  const body = await decodeContent(recorded.body, coding, maxDecodedBytes)
  if (body === undefined) return recorded
  const headers = recorded.headers.filter(([name]) => !describesCoding.has(name.toLowerCase()))
  return { ...recorded, headers, body }
}

/** True of the coded bytes only. */
const describesCoding = new Set([
  'content-encoding',
  'content-digest',
  'content-md5',
  'digest',
  'etag',
  'accept-ranges',
])
