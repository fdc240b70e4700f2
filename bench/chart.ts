import { writeFileSync } from 'node:fs'
import type { Row } from './report.ts'

const rowHeight = 26
const labelWidth = 230
const barWidth = 420
const width = labelWidth + barWidth + 90

/** A bar of CPU time for each row, that of its floor marked on it. */
export function writeChart(file: string, title: string, rows: readonly Row[]): void {
  writeFileSync(file, chartOf(title, rows))
}

function chartOf(title: string, rows: readonly Row[]): string {
  const most = Math.max(1, ...rows.map(({ cpuMicros }) => cpuMicros))
  const height = (rows.length + 1) * rowHeight + 10
  const x = (micros: number) => (micros / most) * barWidth
  const bars = rows.map((row, index) => {
    const y = (index + 1) * rowHeight
    const floor = rows.find(({ variant }) => variant === row.floor)
    const isFloor = row.floor === row.variant
    return [
      `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${row.variant}</text>`,
      `<rect class="${isFloor ? 'floor' : 'own'}" x="${labelWidth}" y="${y + 3}" width="${x(row.cpuMicros).toFixed(1)}" height="${rowHeight - 8}"/>`,
      ...(isFloor || floor === undefined
        ? []
        : [
            `<line x1="${labelWidth + x(floor.cpuMicros)}" x2="${labelWidth + x(floor.cpuMicros)}" y1="${y + 1}" y2="${y + rowHeight - 3}"/>`,
          ]),
      `<text x="${labelWidth + x(row.cpuMicros) + 6}" y="${y + 15}">${row.cpuMicros}</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-weight: bold } .own { fill: #3b6fb6 }
.floor { fill: #a9b8cc } line { stroke: #c0392b; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .floor { fill: #55657a } .own { fill: #6fa3e8 } }</style>
<text class="title" x="8" y="18">${title}</text>
${bars.join('\n')}
</svg>
`
}
