export const style = `
:root {
  --ground: #f6f5f1; --panel: #fff; --ink: #1c2321; --soft: #5a635f; --line: #dfddd4; --well: #f2f1ec;
  --accent: #176b57; --on-accent: #fff; --good: #176b57; --good-well: #e6f2ee;
  --bad: #a8281d; --bad-well: #fbeae7; --wait: #7a5200; --wait-well: #f8f0dc; --off: #85908b;
  color-scheme: light dark;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121615; --panel: #1a201e; --ink: #e9ebe7; --soft: #a3ada8; --line: #303935; --well: #141918;
    --accent: #7fd6bd; --on-accent: #0b1f19; --good: #7fd6bd; --good-well: #17302a;
    --bad: #ff9f93; --bad-well: #3a1d1a; --wait: #ecc572; --wait-well: #322913; --off: #76817c;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--ground); color: var(--ink); }
h1, h2, h3, p, dl, dd, ol, fieldset { margin: 0; padding: 0; }
h1 { font-size: 1.75rem; font-weight: 650; letter-spacing: -0.02em; line-height: 1.2; }
h2 { font-size: 1.125rem; font-weight: 650; }
h3 { font-size: 0.875rem; font-weight: 600; }
small { font-size: 0.875rem; color: var(--soft); }
code { font: 0.9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
fieldset { border: 0; min-width: 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.top { margin-bottom: 1.5rem; }
.top p { color: var(--soft); max-width: 46rem; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem; }

.till { display: grid; grid-template-columns: 15rem 1fr; gap: 1.25rem 2.5rem; align-items: start; }
.goods { display: grid; grid-template-columns: auto 1fr; gap: 1rem; align-items: center; }
.book { width: 3rem; }
.book .cover { fill: var(--accent); }
.book .pages { fill: var(--line); }
.book .mark { fill: var(--panel); opacity: 0.85; }
.name { font-weight: 600; }
.price { color: var(--soft); }
button {
  grid-column: 1 / -1; font: inherit; font-weight: 650; padding: 0.7rem 1rem; border: 0; border-radius: 8px;
  background: var(--accent); color: var(--on-accent); cursor: pointer;
}
button:hover { filter: brightness(1.08); }
button[aria-disabled="true"] { background: var(--well); color: var(--soft); box-shadow: inset 0 0 0 1px var(--line); cursor: progress; }

.switches { display: grid; grid-template-columns: 1fr 1fr; gap: 0.75rem 1.5rem; }
.switches > legend { font-size: 0.875rem; font-weight: 600; padding: 0; margin-bottom: 0.6rem; }
.switch { display: grid; grid-template-columns: auto 1fr; gap: 0.7rem; align-items: start; cursor: pointer; }
.switch b { display: block; font-weight: 550; line-height: 1.4; }
.switch small { display: block; line-height: 1.4; }
.switch input {
  appearance: none; width: 2.4rem; height: 1.4rem; margin: 0.05rem 0 0; border-radius: 99px; background: var(--off);
  position: relative; cursor: pointer; transition: background 0.15s;
}
.switch input::after {
  content: ""; position: absolute; inset: 3px auto 3px 3px; width: calc(1.4rem - 6px); border-radius: 50%;
  background: #fff; transition: translate 0.15s;
}
.switch input:checked { background: var(--accent); }
.switch input:checked::after { translate: 1rem; background: var(--on-accent); }
.switch input:focus-visible { border-radius: 99px; }
.choices { grid-column: 1 / -1; display: grid; grid-template-columns: 1fr 1fr; gap: 0.75rem 1.5rem; padding: 0.85rem 1rem; background: var(--well); border-radius: 8px; font-size: 0.9375rem; }
.choices[hidden] { display: none; }
.choices legend { font-size: 0.875rem; color: var(--soft); padding: 0; }
.choices label { display: flex; gap: 0.5rem; align-items: baseline; padding: 0.15rem 0; cursor: pointer; }
.choices input { accent-color: var(--accent); margin: 0; translate: 0 1px; }

.shops { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; margin: 1.25rem 0; }
.shop { display: grid; grid-template: auto auto 1fr auto / minmax(0, 1fr); gap: 1rem; min-width: 0; }
.shop > header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0.25rem 1rem; }
.process { font-size: 0.875rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.process::before { content: ""; display: inline-block; width: 0.55rem; height: 0.55rem; margin-right: 0.45rem; border-radius: 50%; background: var(--good); }
.process.down { color: var(--bad); }
.process.down::before { background: none; box-shadow: inset 0 0 0 2px var(--bad); }
.process:empty { display: none; }

.verdict { border-radius: 8px; padding: 0.7rem 0.9rem; background: var(--well); }
.verdict .title { font-size: 1.25rem; font-weight: 650; line-height: 1.3; }
.verdict .text { font-size: 0.9375rem; overflow-wrap: anywhere; }
.verdict.good { background: var(--good-well); } .verdict.good .title { color: var(--good); }
.verdict.bad { background: var(--bad-well); } .verdict.bad .title { color: var(--bad); }
.verdict.unsure, .verdict.waiting { background: var(--wait-well); }
.verdict.unsure .title, .verdict.waiting .title { color: var(--wait); }

.steps { list-style: none; font-size: 0.9375rem; min-height: 6.5rem; }
.steps li { display: flex; gap: 0.6rem; padding: 0.1rem 0; align-items: baseline; }
.steps .since { flex: 0 0 3rem; text-align: right; color: var(--soft); font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.steps .click { flex: none; font-size: 0.8125rem; color: var(--soft); }
.steps .text { position: relative; padding-left: 1.3em; min-width: 0; }
.steps .text::before { position: absolute; left: 0; font-weight: 600; }
.steps .out .text::before { content: "→"; color: var(--soft); }
.steps .good .text::before { content: "←"; color: var(--good); }
.steps .pause .text::before { content: "←"; color: var(--wait); }
.steps .bad .text::before { content: "✕"; color: var(--bad); }
.steps .good .text { color: var(--good); } .steps .bad .text { color: var(--bad); } .steps .pause .text { color: var(--wait); }

.ledger-head { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; border-top: 1px solid var(--line); padding-top: 0.9rem; }
.ledger-head p { font-size: 0.875rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.ledger { min-height: 6.5rem; max-height: 12.5rem; overflow: auto; margin-top: 0.4rem; }
.ledger .empty { color: var(--soft); font-size: 0.9375rem; padding-top: 0.35rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: var(--panel); color: var(--soft); font-weight: 500; }
th, td { text-align: left; padding: 0.3rem 0.75rem 0.3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; text-align: right; }
.amount { text-align: right; }
.at { color: var(--soft); }
tr.current td:first-child { font-weight: 600; }
tr.again td { color: var(--bad); }
.badge { font-size: 0.75rem; font-weight: 600; padding: 0.05rem 0.4rem; border-radius: 99px; background: var(--bad-well); color: var(--bad); }

.about { max-width: 46rem; color: var(--soft); font-size: 0.9375rem; display: grid; gap: 0.75rem; margin-top: 2rem; }
.about > * { min-width: 0; }
.about h2 { color: var(--ink); font-size: 1rem; }
.about pre { margin: 0; padding: 0.9rem 1rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; color: var(--ink); }
.about dl { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 1rem; }
.about dd { font: 0.8125rem/1.7 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; min-width: 0; }
.lost-contact { position: fixed; inset: auto 1rem 1rem; margin: 0 auto; max-width: 30rem; text-align: center; padding: 0.7rem 1rem; border-radius: 8px; background: var(--ink); color: var(--ground); }
.lost-contact[hidden] { display: none; }

@media (max-width: 46rem) {
  body { padding: 1.25rem 1rem 4rem; }
  .till, .shops, .choices { grid-template-columns: 1fr; }
  .steps { min-height: 0; }
  .ledger { min-height: 0; max-height: 14rem; }
}
@media (max-width: 32rem) {
  .switches { grid-template-columns: 1fr; }
  .at { display: none; }
  td.amount, th.amount { padding-right: 0; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`
