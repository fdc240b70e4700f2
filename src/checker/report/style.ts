/** The look of the HTML report: light and dark, screen and paper. */
export const style = `
:root {
  --paper: #fdfcfa; --ink: #1d1f24; --quiet: #666b75; --line: #e4e1da; --panel: #f6f4ef;
  --fail: #b3261e; --warn: #945700; --pass: #1f7a4d; --report: #2a5d9f; --none: #7d818a;
  --sending: #d9d5cb; --waiting: #f0c36a; --ok: #3f9e6d; --no: #6b8fc4; --bad: #c8463d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17181b; --ink: #e8e6e1; --quiet: #9a9da5; --line: #33353b; --panel: #1f2125;
    --fail: #ff8a80; --warn: #f0b35c; --pass: #6fce9c; --report: #8ab4f0; --none: #8d9199;
    --sending: #44464d; --waiting: #b98a35; --ok: #46a577; --no: #6b8fc4; --bad: #d2564d;
  }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif }
main { max-width: 880px; margin: 0 auto; padding: 48px 28px 96px }
h1 { font-size: 15px; font-weight: 600; letter-spacing: .02em; color: var(--quiet); margin: 0 0 6px }
.target { font: 600 22px/1.35 ui-monospace, 'SF Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere; margin: 0 0 26px }
.verdict { font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -.01em; margin: 0 0 4px }
.verdict.fail { color: var(--fail) } .verdict.pass { color: var(--pass) } .verdict.none { color: var(--warn) }
.quiet { color: var(--quiet); margin: 0 } .facts { margin: 0 0 30px }
.facts p { margin: 0; color: var(--quiet) }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; margin: 20px 0 8px; gap: 2px }
.bar i { display: block }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; padding: 0; margin: 0 0 26px; color: var(--quiet); font-size: 14px }
.legend b { color: var(--ink); font-weight: 600 } .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px }
h2 { font-size: 19px; font-weight: 650; margin: 48px 0 12px; letter-spacing: -.005em }
article { border: 1px solid var(--line); border-left: 4px solid var(--none); border-radius: 6px; padding: 18px 20px 16px; margin: 0 0 16px; break-inside: avoid-page }
article.fail { border-left-color: var(--fail) } article.warn { border-left-color: var(--warn) }
article header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; margin: 0 0 4px }
article h3 { font-size: 16.5px; font-weight: 650; margin: 0 }
.id { font: 600 13px ui-monospace, Menlo, Consolas, monospace; color: var(--quiet) }
.tag { font-size: 12.5px; color: var(--quiet) } .tag.safety { color: var(--fail); font-weight: 600 }
.why { margin: 0 0 12px; color: var(--quiet) }
dl.finding { display: grid; grid-template-columns: 84px 1fr; gap: 2px 12px; margin: 10px 0 0 } dl.finding dt { color: var(--quiet) } dl.finding dd { margin: 0; overflow-wrap: anywhere }
dl.finding dd.got { font-weight: 600 }
pre, code { font: 12.5px/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, monospace }
pre { background: var(--panel); border-radius: 4px; padding: 8px 10px; margin: 6px 0 0; white-space: pre-wrap; overflow-wrap: anywhere }
.exchange { margin: 8px 0 0 } .exchange .arrow { color: var(--quiet) }
details { margin: 10px 0 0 } summary { cursor: pointer; color: var(--quiet) }
table { width: 100%; border-collapse: collapse; font-size: 14px } td, th { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--quiet); font-size: 13px } .card th { width: 32%; color: var(--ink); font-weight: 500; font-size: 14px }
.rows td:first-child { white-space: nowrap } .rows td.v { white-space: nowrap; font-weight: 600 } .rows tr.group td { border-bottom: 0; padding-top: 20px; font-weight: 650 } .rows .sum { color: var(--quiet); overflow-wrap: anywhere }
.star { color: var(--warn) }
.v.pass { color: var(--pass) } .v.fail { color: var(--fail) } .v.warn, .v.inconclusive { color: var(--warn) } .v.report { color: var(--report) } .v.skipped { color: var(--none); font-weight: 400 !important }
.race { margin: 16px 0 0 } .race svg { width: 100%; height: auto; display: block }
.race text { font: 11.5px ui-monospace, Menlo, Consolas, monospace; fill: var(--quiet) } .race .what { fill: var(--ink); font-weight: 600 } .race .what.bad { fill: var(--fail) }
.race .grid { stroke: var(--line) } .race .sending { fill: var(--sending) } .race .waiting { fill: var(--waiting) }
.race .answering.ok { fill: var(--ok) } .race .answering.no { fill: var(--no) } .race .answering.bad { fill: var(--bad) }
.race figcaption { font-size: 12.5px; color: var(--quiet); margin-top: 2px; padding-left: 12% }
.key { display: inline-block; width: 18px; height: 9px; border-radius: 2px; margin: 0 5px 0 12px } .key.sending { background: var(--sending) } .key.waiting { background: var(--waiting) } .key.answering { background: var(--ok) }
footer { margin-top: 56px; color: var(--quiet); font-size: 13px }
@media (max-width: 600px) { main { padding: 28px 16px 60px } dl.finding { grid-template-columns: 1fr } dl.finding dt { margin-top: 6px } .verdict { font-size: 25px } .rows .sum { display: block } }
@media print { :root { --paper: #fff; --panel: #f4f4f2 } body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact } main { max-width: none; padding: 0 } details > *:not(summary) { display: block } a { color: inherit } tr { break-inside: avoid } }
`
