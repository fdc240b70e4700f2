import type * as nodeZlib from 'node:zlib'

type Zlib = typeof nodeZlib
type Decode = (
  bytes: Uint8Array,
  options: { readonly maxOutputLength: number },
  done: (error: Error | null, decoded: Buffer) => void,
) => void

const decoders = new Map<string, 'gunzip' | 'inflate' | 'brotliDecompress'>([
  ['gzip', 'gunzip'],
  ['x-gzip', 'gunzip'],
  ['deflate', 'inflate'],
  ['br', 'brotliDecompress'],
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
  const coders = await loadedZlib()
  let decoded = bytes
  // Codings are listed in the order they were applied (RFC 9110, section 8.4).
  for (const coding of codingsOf(contentEncoding).toReversed()) {
    const decoder = decoders.get(coding)
    if (decoder === undefined) return undefined
    try {
      decoded = await unpacked(decoded, coders[decoder], maxBytes)
    } catch {
      return undefined
    }
  }
  return decoded
}

let zlib: Zlib | undefined

/**
 * With the first body that is compressed: few are, and it would take 2 ms of every start. What is kept is the module and no
 * promise of it, since Workers let no request wait for what another one began.
 */
async function loadedZlib(): Promise<Zlib> {
  zlib ??= await import('node:zlib')
  return zlib
}

function unpacked(bytes: Uint8Array, decode: Decode, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    decode(bytes, { maxOutputLength: maxBytes }, (error, decoded) => {
      if (error === null) resolve(decoded)
      else reject(error)
    })
  })
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
