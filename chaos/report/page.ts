import { writeFileSync } from 'node:fs'
import type { CellResult } from '../cell.ts'
import type { Moment } from '../load/timeline.ts'
import { provenance } from './table.ts'

/** A page with what each store was asked, and answered, in each tenth of a second around each fault. */
export function writePage(file: string, results: readonly CellResult[]): void {
  writeFileSync(file, pageOf(results))
}

function pageOf(results: readonly CellResult[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>hapax under chaos</title>
<style>${style}</style>
<h1>hapax under chaos</h1>
<p>${escape(provenance(results))}</p>
<p class="legend"><span class="served">served</span><span class="refused">refused, or told to ask again</span>
<span class="unanswered">no answer</span> Each bar is a tenth of a second; the shaded part is the fault.</p>
${results.map(sectionOf).join('\n')}
</html>
`
}

function sectionOf(result: CellResult): string {
  const { store, fault, account, findings, version } = result
  return `<section>
<h2>${escape(store)}: ${escape(fault)} <small class="${findings.length === 0 ? 'held' : 'broken'}">${
    findings.length === 0 ? 'promises held' : escape(findings.join('; '))
  }</small></h2>
${chartOf(result)}
<p>${account.requests} requests, ${account.duplicates} of them duplicates; ${account.secondEffects} second effects,
${account.unknown} unknown outcomes, ${account.stuck} stuck keys. Slowest answer ${account.slowestAnswerMs} ms, back after
${account.recoveryMs} ms. ${escape(version)}.</p>
</section>`
}

const height = 90
const barWidth = 6

function chartOf({ store, fault, timeline }: CellResult): string {
  const { moments, marks, widthMs } = timeline
  const most = Math.max(1, ...moments.map(totalOf))
  const width = moments.length * barWidth
  const x = (atMs: number) => (atMs / widthMs) * barWidth
  const [broken, mended] = ['broken', 'mended'].map(
    (what) => marks.find((mark) => mark.what === what)?.atMs ?? 0,
  )
  const label = `${store}, ${fault}: answers in each tenth of a second, at most ${most}`
  return `<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${escape(label)}">
<rect class="fault" x="${x(broken ?? 0)}" y="0" width="${Math.max(1, x((mended ?? 0) - (broken ?? 0)))}" height="${height}"/>
${moments.map((moment, index) => barOf(moment, index, most)).join('')}
</svg>`
}

function barOf(moment: Moment, index: number, most: number): string {
  let y = height
  return (['served', 'refused', 'unanswered'] as const)
    .map((kind) => {
      const tall = (moment[kind] / most) * height
      y -= tall
      return tall === 0
        ? ''
        : `<rect class="${kind}" x="${index * barWidth}" y="${y.toFixed(1)}" width="${barWidth - 1}" height="${tall.toFixed(1)}"/>`
    })
    .join('')
}

function totalOf({ served, refused, unanswered }: Moment): number {
  return served + refused + unanswered
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --served: light-dark(#2a7d4f, #5ec48b);
  --refused: light-dark(#b7791f, #e0b050); --unanswered: light-dark(#b3261e, #ff8a80); }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.1rem; margin-bottom: .3rem; }
small { font-weight: normal; } .held { color: var(--served); } .broken { color: var(--unanswered); }
svg { width: 100%; height: 90px; } section p { margin-top: .2rem; font-size: .9rem; }
.fault { fill: light-dark(#0001, #fff2); } rect.served { fill: var(--served); } rect.refused { fill: var(--refused); }
rect.unanswered { fill: var(--unanswered); }
.legend span::before { content: ''; display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em;
  background: currentColor; }
.legend .served { color: var(--served); } .legend .refused { color: var(--refused); }
.legend .unanswered { color: var(--unanswered); }`

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
