/** JSON of exactly `bytes` bytes (at least 60): an order of as many lines as fit. */
export function orderOf(bytes: number): string {
  const lines: object[] = []
  const lineBytes = JSON.stringify(lineOf(0)).length + 1
  const frameBytes = JSON.stringify({ customer: 'c_1', lines, note: '' }).length
  while (frameBytes + (lines.length + 1) * lineBytes <= bytes) lines.push(lineOf(lines.length))
  const bare = JSON.stringify({ customer: 'c_1', lines, note: '' }).length
  return JSON.stringify({ customer: 'c_1', lines, note: 'x'.repeat(bytes - bare) })
}

function lineOf(index: number): object {
  return { article: `A-${10_000 + (index % 90_000)}`, quantity: 2, price: '19.90' }
}
