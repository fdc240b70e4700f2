const slotCount = 16_384

/**
 * The slot of a Redis Cluster that a key lies in: CRC16 (XMODEM) of the key, or of what stands between its
 * first `{` and the next `}`.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function keySlot(key: string): number {
  const start = key.indexOf('{')
  const end = start < 0 ? -1 : key.indexOf('}', start + 1)
  const hashed = end > start + 1 ? key.slice(start + 1, end) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1
  }
  return crc % slotCount
}
