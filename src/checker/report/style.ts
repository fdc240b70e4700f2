/** The look of the HTML report: light and dark, wide and narrow, screen and paper. */
export const style = `
:root {
  --paper: #fdfcfa; --ink: #1d1f24; --quiet: #5d626c; --line: #e4e1da; --panel: #f5f3ee;
  --fail: #b3261e; --warn: #8a5000; --pass: #1b7347; --report: #2a5d9f; --none: #656a74;
  --sending: #d3cec2; --waiting: #eebd5c; --ok: #2f8f5e; --no: #5b80b8; --bad: #c8463d; --skipped: #dcd8ce;
  --mono: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #16171a; --ink: #e9e7e2; --quiet: #a5a8b0; --line: #34363c; --panel: #1f2125;
    --fail: #ff8a80; --warn: #f0b35c; --pass: #6fce9c; --report: #8ab4f0; --none: #a0a3ab;
    --sending: #4b4e56; --waiting: #b98a35; --ok: #46a577; --no: #6b8fc4; --bad: #d2564d; --skipped: #3b3d44;
  }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 16px }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif }
main { max-width: 920px; margin: 0 auto; padding: 56px 28px 96px }
a { color: inherit; text-decoration-color: var(--quiet); text-underline-offset: 3px }
h1 { font-size: 14px; font-weight: 600; color: var(--quiet); margin: 0 0 6px }
.target { font: 600 21px/1.4 var(--mono); overflow-wrap: anywhere; margin: 0 0 28px }
.verdict { font-size: 32px; line-height: 1.2; font-weight: 680; letter-spacing: -.015em; margin: 0 }
.verdict.fail { color: var(--fail) } .verdict.pass { color: var(--pass) } .verdict.none { color: var(--warn) }
.quiet { color: var(--quiet); margin: 0 }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; margin: 20px 0 10px; gap: 2px }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; padding: 0; margin: 0 0 28px; color: var(--quiet); font-size: 14px }
.legend b { color: var(--ink); font-weight: 600 } .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 7px }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 18px; margin: 0 } dt { color: var(--quiet) } dd { margin: 0; overflow-wrap: anywhere }
.facts { font-size: 14px; padding: 14px 0 0; border-top: 1px solid var(--line) }
.overview { list-style: none; margin: 34px 0 0; padding: 0; border-top: 1px solid var(--line) }
.overview li { display: grid; grid-template-columns: minmax(0, 11fr) minmax(0, 10fr); gap: 2px 24px; padding: 7px 0 7px 14px; border-bottom: 1px solid var(--line); position: relative; font-size: 14px; break-inside: avoid }
.overview li::before { content: ''; position: absolute; left: 0; top: 9px; bottom: 9px; width: 4px; border-radius: 2px; background: var(--warn) } .overview li.fail::before { background: var(--fail) }
.overview a { font-weight: 600; text-decoration: none } .overview a:hover { text-decoration: underline } .overview .id { margin-right: 8px } .overview .quiet { overflow-wrap: anywhere }
h2 { font-size: 20px; font-weight: 680; margin: 54px 0 14px; letter-spacing: -.01em; break-after: avoid }
article { border: 1px solid var(--line); border-left: 4px solid var(--none); border-radius: 6px; padding: 18px 22px; margin: 0 0 18px; break-inside: avoid }
article.fail { border-left-color: var(--fail) } article.warn { border-left-color: var(--warn) } article.pass { border-left-color: var(--pass) } article.report { border-left-color: var(--report) }
article header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; margin: 0 0 3px }
h3 { font-size: 17px; font-weight: 680; margin: 0 }
.id { font: 600 13px var(--mono); color: var(--quiet); white-space: nowrap }
.tag { font-size: 12.5px; color: var(--quiet) } .tag.safety { color: var(--fail); font-weight: 600 }
.why { margin: 0; color: var(--quiet) }
.finding { margin: 14px 0 0 } .got { font-weight: 600 }
pre, code { font: 12.5px/1.55 var(--mono) }
pre { background: var(--panel); border-radius: 5px; padding: 9px 12px; margin: 8px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; min-width: 0 }
.exchanges { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 0 10px } .exchanges + .quiet { margin-top: 6px }
.exchanges span.line { display: block; padding-left: 4ch; text-indent: -4ch } .arrow { color: var(--quiet) }
.notes { margin: 12px 0 0; padding: 0 0 0 1.1em; color: var(--quiet) }
details { margin: 12px 0 0 } summary { cursor: pointer; color: var(--quiet); font-size: 14px }
table { width: 100%; border-collapse: collapse; font-size: 14px } td, th { text-align: left; vertical-align: top; padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line) }
td:last-child { padding-right: 0; overflow-wrap: anywhere }
.card th { width: 34%; font-weight: 500 } .card { margin-top: 12px }
.rows td:first-child { white-space: nowrap; width: 1% } .rows td.v { white-space: nowrap; font-weight: 600; text-align: right }
.rows tr.group td { border-bottom: 0; padding-top: 24px; font-weight: 680; font-size: 15px; break-after: avoid; text-align: left } .rows .sum { color: var(--quiet); overflow-wrap: anywhere } tr { break-inside: avoid }
.star { color: var(--warn) }
.v.pass { color: var(--pass) } .v.fail { color: var(--fail) } .v.warn, .v.inconclusive { color: var(--warn) } .v.report { color: var(--report) } .rows td.v.skipped { color: var(--none); font-weight: 400 }
.race { margin: 16px 0 20px; font: 12px/1 var(--mono) }
.lanes { position: relative; padding: 4px 0 24px; --who: 88px; --what: 112px }
.marks { position: absolute; left: var(--who); right: var(--what); top: 0; bottom: 18px } .marks i { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--line) } .marks i:first-child { background: var(--quiet) }
i { font-style: normal }
.marks b { position: absolute; top: 100%; left: 0; transform: translateX(-50%); padding-top: 6px; font-weight: 400; font-size: 11.5px; color: var(--quiet); white-space: nowrap }
.lane { display: grid; grid-template-columns: var(--who) 1fr var(--what); align-items: center; height: 21px; position: relative }
.who { color: var(--quiet); text-align: right; padding-right: 12px; white-space: nowrap } .what { padding-left: 12px; font-weight: 600; white-space: nowrap } .what.bad { color: var(--fail) } .what.no { color: var(--report) }
.track { position: relative; height: 13px } .track i { position: absolute; top: 0; bottom: 0; border-radius: 2px } .track .answering { min-width: 3px }
.sending { background: var(--sending) } .waiting { background: var(--waiting) } .answering, .answering.ok { background: var(--ok) } .answering.no { background: var(--no) } .answering.bad { background: var(--bad) }
.race figcaption { display: flex; flex-wrap: wrap; gap: 4px 20px; font: 12.5px/1.5 system-ui, sans-serif; color: var(--quiet); padding-left: 88px; margin-top: 8px } figcaption i { display: inline-block; width: 18px; height: 9px; border-radius: 2px; margin-right: 7px }
footer { margin-top: 56px; padding-top: 14px; border-top: 1px solid var(--line); color: var(--quiet); font-size: 13px }
@media (max-width: 600px) {
  main { padding: 28px 16px 60px } .target { font-size: 16px; margin-bottom: 22px } .verdict { font-size: 26px }
  article { padding: 14px 14px } .overview li { grid-template-columns: 1fr } .facts { gap: 3px 12px }
  .finding { grid-template-columns: 1fr; gap: 0 } .finding dt:nth-of-type(2) { margin-top: 6px }
  .lanes { --who: 34px; --what: 96px } .word { display: none } .race { font-size: 11px } .race figcaption { padding-left: 0 }
  .rows tr { display: grid; grid-template-columns: 1fr max-content; border-bottom: 1px solid var(--line); padding: 6px 0 } .rows td { border: 0; padding: 0 } .rows td:first-child { width: auto } .rows td:nth-child(2) { grid-row: 2; grid-column: 1 / 3 } .rows tr.group { display: block; border: 0; padding-top: 18px } .rows tr.group td { padding: 0 }
  .card tr { display: block; border-bottom: 1px solid var(--line); padding: 6px 0 } .card th, .card td { display: block; width: auto; border: 0; padding: 0 } .card th { color: var(--quiet) }
}
@media print {
  @page { margin: 14mm }
  :root { --paper: #fff; --panel: #f5f5f3 }
  body { font-size: 9.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact } main { max-width: none; padding: 0 }
  pre, code { font-size: 8pt } article { padding: 10px 14px; margin-bottom: 12px } h2 { margin: 26px 0 10px } .overview { margin-top: 20px } .overview li, table, .facts { font-size: 9pt }
  .exchanges { grid-template-columns: repeat(auto-fit, minmax(min(100%, 250px), 1fr)) }
  .lane { height: 16px } .track { height: 10px } .card { break-inside: avoid } .card-note { break-after: avoid }
  details:not(.again), .again summary { display: none } a { text-decoration: none }
}
`
