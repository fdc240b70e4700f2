/**
 * A multipart body taken apart at its delimiter lines (RFC 2046, section 5.1.1): each part with its headers,
 * and last what follows the closing delimiter. The pieces are views of the body, not copies, and together
 * with the boundary they make up every byte of it.
 *
 * Undefined for a body that parsers could take apart in different ways: it must begin with a delimiter, and
 * the boundary may occur only in delimiter lines, which have no trailing spaces. Undefined also for more than
 * 10,000 parts, since each costs time and a body of 16 MiB could have millions.
 */
export function multipartPieces(body: Uint8Array, boundary: string): Uint8Array[] | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const dashBoundary = Buffer.from(`--${boundary}`, 'latin1')
  const pieces: Uint8Array[] = []
  if (bytes.indexOf(dashBoundary) !== 0) return undefined

  let afterBoundary = dashBoundary.length
  while (pieces.length <= maxParts) {
    const next = bytes.indexOf(dashBoundary, afterBoundary)
    const lineEnd = bytes.toString('latin1', afterBoundary, afterBoundary + 2)
    if (lineEnd === '--' && next === -1) return [...pieces, bytes.subarray(afterBoundary + 2)]
    if (lineEnd !== '\r\n' || next === -1) return undefined

    const start = afterBoundary + 2
    const end = next - 2
    // A line break can't end one delimiter and begin the next.
    if (end < start || bytes.toString('latin1', end, next) !== '\r\n') return undefined
    pieces.push(bytes.subarray(start, end))
    afterBoundary = next + dashBoundary.length
  }
  return undefined
}

const maxParts = 10_000
