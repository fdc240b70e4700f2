export const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>hapax demo: say it once</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23176b57'/%3E%3Cpath d='M6.5 5.4 8.6 4v8' fill='none' stroke='white' stroke-width='1.8'/%3E%3C/svg%3E">
<link rel="stylesheet" href="/style.css">
<script type="module" src="/main.js"></script>
</head>
<body>
<header class="top">
  <h1>hapax</h1>
  <p>Say it once. Two shops get the same order over the same bad network. Break things, and watch the ledgers.</p>
</header>

<main>
<form class="panel till" id="till">
  <div class="goods">
    <svg class="book" viewBox="0 0 64 80" aria-hidden="true">
      <path class="cover" d="M10 6h42a4 4 0 0 1 4 4v58H14a6 6 0 0 1-6-6V10"/>
      <path class="pages" d="M56 68v8H14a6 6 0 0 1-6-6v-8a6 6 0 0 0 6 6z"/>
      <path class="mark" d="M38 6v24l-6-5-6 5V6z"/>
    </svg>
    <div>
      <p class="name">One book</p>
      <p class="price">€18.00</p>
    </div>
    <button type="submit" id="buy">Buy</button>
  </div>

  <fieldset class="switches">
    <legend>What goes wrong</legend>
    <label class="switch"><input type="checkbox" role="switch" name="double">
      <span><b>Double click</b> <small>Two requests, a moment apart.</small></span></label>
    <label class="switch"><input type="checkbox" role="switch" name="lost">
      <span><b>Answer lost on the way</b> <small>The shop answers; the connection breaks.</small></span></label>
    <label class="switch"><input type="checkbox" role="switch" name="slow">
      <span><b>Slow handler</b> <small>It needs 4 s; the client waits 2 s.</small></span></label>
    <label class="switch"><input type="checkbox" role="switch" name="kill">
      <span><b>Server killed in the middle</b> <small>A real SIGKILL; the shop starts again.</small></span></label>
    <div class="choices" id="kill-choices" hidden>
      <fieldset><legend>The kill lands</legend>
        <label><input type="radio" name="moment" value="kill-after-charge" checked> after the charge</label>
        <label><input type="radio" name="moment" value="kill-before-charge"> before the charge</label>
      </fieldset>
      <fieldset><legend>Nobody saw the end, so hapax</legend>
        <label><input type="radio" name="recovery" value="look-up" checked> <span>asks the shop’s <code>recovery</code> function</span></label>
        <label><input type="radio" name="recovery" value="refuse"> refuses to run it again</label>
      </fieldset>
    </div>
  </fieldset>
</form>

<div class="shops">
  <article class="panel shop" id="protected" aria-labelledby="protected-name">
    <header>
      <h2 id="protected-name">With hapax</h2>
      <p class="process" data-part="process"></p>
    </header>
    <div class="verdict" data-part="verdict" role="status"></div>
    <ol class="steps" data-part="steps" aria-label="What the client does, with hapax"></ol>
    <section aria-labelledby="protected-ledger">
      <div class="ledger-head"><h3 id="protected-ledger">Ledger of charges</h3><p data-part="total"></p></div>
      <div class="ledger" data-part="ledger" tabindex="0" role="region" aria-labelledby="protected-ledger"></div>
    </section>
  </article>

  <article class="panel shop" id="unprotected" aria-labelledby="unprotected-name">
    <header>
      <h2 id="unprotected-name">Without</h2>
      <p class="process" data-part="process"></p>
    </header>
    <div class="verdict" data-part="verdict" role="status"></div>
    <ol class="steps" data-part="steps" aria-label="What the client does, without hapax"></ol>
    <section aria-labelledby="unprotected-ledger">
      <div class="ledger-head"><h3 id="unprotected-ledger">Ledger of charges</h3><p data-part="total"></p></div>
      <div class="ledger" data-part="ledger" tabindex="0" role="region" aria-labelledby="unprotected-ledger"></div>
    </section>
  </article>
</div>

<section class="about">
  <h2>What is real here</h2>
  <p>Both shops run the same handler, each in a process of its own: it works for 0.3 s, writes the charge to the
  ledger, then answers. The ledger is a file that knows nothing of hapax. The client is the same too,
  <code>hapax/client</code>: it waits, backs off and tries again. Only the first shop has this in front of its handler,
  and only there the client’s key is sent, one for each purchase:</p>
  <pre><code>app.use(idempotency({
  store: sqliteStore('records.db'),
  scope: false,                     // the demo has one customer
  lease: '3s',                      // how soon a dead server is noticed
  recovery: findChargeInLedger,     // after a crash: look, don’t guess
}))</code></pre>
  <dl>
    <dt>Records</dt><dd id="store"></dd>
    <dt>Ledgers</dt><dd id="ledgers"></dd>
  </dl>
  <p>No browser at hand? <code>hapax demo --storm</code> judges both shops in a storm of a thousand purchases.</p>
</section>
</main>
<p class="lost-contact" id="lost-contact" role="alert" hidden>The demo has stopped. Start it again to go on.</p>
<noscript><p class="lost-contact">This page needs JavaScript: it is the shop’s client.</p></noscript>
</body>
</html>
`
