/** Bars, one below the other. */
export interface Chart {
  readonly title: string
  readonly bars: readonly Bar[]
}

export interface Bar {
  readonly label: string
  readonly value: number
  /** What the value is held against, marked on the bar; undefined for what is itself such a floor. */
  readonly floor: number | undefined
}

const rowHeight = 26
const labelWidth = 230
const barWidth = 420
const width = labelWidth + barWidth + 90

/** @returns An SVG image. */
export function chartOf({ title, bars }: Chart): string {
  const most = Math.max(1e-9, ...bars.map(({ value }) => value))
  const height = (bars.length + 1) * rowHeight + 10
  const x = (value: number) => (value / most) * barWidth
  const drawn = bars.map(({ label, value, floor }, index) => {
    const y = (index + 1) * rowHeight
    const floorX = floor === undefined ? undefined : labelWidth + x(floor)
    return [
      `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${label}</text>`,
      `<rect class="${floor === undefined ? 'floor' : 'own'}" x="${labelWidth}" y="${y + 3}" width="${x(value).toFixed(1)}" height="${rowHeight - 8}"/>`,
      ...(floorX === undefined
        ? []
        : [`<line x1="${floorX}" x2="${floorX}" y1="${y + 1}" y2="${y + rowHeight - 3}"/>`]),
      `<text x="${labelWidth + x(value) + 6}" y="${y + 15}">${value}</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-weight: bold } .own { fill: #3b6fb6 }
.floor { fill: #a9b8cc } line { stroke: #c0392b; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .floor { fill: #55657a } .own { fill: #6fa3e8 } }</style>
<text class="title" x="8" y="18">${title}</text>
${drawn.join('\n')}
</svg>
`
}
