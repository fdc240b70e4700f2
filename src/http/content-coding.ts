import { promisify } from 'node:util'
import zlib from 'node:zlib'

type Decoder = (bytes: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer>

const gunzip: Decoder = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip)
const decoders = new Map<string, Decoder>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate)],
  ['br', promisify<Uint8Array, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress)],
])

/**
 * Undoes a `Content-Encoding`. Resolves to `undefined` for a coding that is not known, bytes that are not in
 * it, or a result above `maxBytes` (a small body can unpack to gigabytes).
 */
export async function decodeContent(
  bytes: Uint8Array,
  contentEncoding: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  let decoded = bytes
  // Codings are listed in the order they were applied (RFC 9110, section 8.4).
  for (const coding of codingsOf(contentEncoding).toReversed()) {
    const decode = decoders.get(coding)
    if (decode === undefined) return undefined
    try {
      decoded = await decode(decoded, { maxOutputLength: maxBytes })
    } catch {
      return undefined
    }
  }
  return decoded
}

/** Whether an `Accept-Encoding` allows every coding of a `Content-Encoding` (RFC 9110, section 12.5.3). */
export function acceptsContentEncoding(acceptEncoding: string | undefined, contentEncoding: string): boolean {
  if (acceptEncoding === undefined) return true
  const weights = weightsOf(acceptEncoding)
  return codingsOf(contentEncoding).every((coding) => {
    const weight = weights.get(coding) ?? weights.get('*') ?? 0
    return weight > 0
  })
}

function codingsOf(contentEncoding: string): string[] {
  return contentEncoding
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity')
}

function weightsOf(acceptEncoding: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const item of acceptEncoding.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    if (coding !== '') weights.set(coding, Number(weight) || 0)
  }
  return weights
}
