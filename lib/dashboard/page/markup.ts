/** What is there before the first event; the script fills in the rest. */
export const bodyOf = (hasFleet: boolean) => `
<header class="top">
  <h1>Resilience</h1>
  <p class="live" id="connection" data-state="connecting">Connecting …</p>
  <p class="sub" id="source"></p>
  <label class="filter"><span>Filter</span>
    <input type="search" id="filter" placeholder="Name or dependency" autocomplete="off" spellcheck="false">
  </label>
</header>
<noscript><p class="none">This page needs JavaScript.</p></noscript>
<div class="unseen" role="status" id="announcer"></div>
<section class="chaos" id="chaos" aria-labelledby="chaos-heading" hidden>
  <h2 id="chaos-heading">Chaos is on: some failures here are injected on purpose</h2>
  <ul class="list" role="list" id="chaos-body" aria-labelledby="chaos-heading"></ul>
</section>
<main>
  <section class="tiles" aria-labelledby="now-heading">
    <h2 id="now-heading" class="unseen">Now</h2>
    <dl id="tiles"></dl>
  </section>
  ${hasFleet ? fleet : ''}
  ${section('breakers', 'Circuit breakers', 'over each one’s window')}
  ${section('transitions', 'Outages and transitions', 'outages first, newest first')}
  ${section('operations', 'Operations', 'over the last minute')}
  ${section('bulkheads', 'Bulkheads', 'now')}
  ${configuration}
  ${section('actions', 'Changes at run time', 'newest first', 'half')}
  ${section('errors', 'Recent errors', 'newest first')}
  ${section('advice', 'Advice', 'from what was seen in the last hour')}
</main>
<dialog id="confirm" aria-labelledby="confirm-heading" aria-describedby="confirm-text">
  <h2 id="confirm-heading"></h2>
  <p id="confirm-text"></p>
  <fieldset class="scope" id="confirm-scope" hidden>
    <legend>Where</legend>
    <label><input type="radio" name="scope" value="instance" checked> This instance</label>
    <label><input type="radio" name="scope" value="fleet"> All instances</label>
  </fieldset>
  <div class="actions">
    <button type="button" id="confirm-no">Cancel</button>
    <button type="button" id="confirm-yes" class="primary"></button>
  </div>
</dialog>`;

/** All instances beside each other; only where there are others. */
const fleet = `<section class="panel" id="fleet" aria-labelledby="fleet-heading">
    <div class="head"><h2 id="fleet-heading">Fleet</h2><p id="fleet-link"></p><p class="count" id="fleet-count"></p></div>
    <ul class="list instances" role="list" id="fleet-instances" tabindex="0" aria-label="Instances"></ul>
    <div class="scroll" role="region" tabindex="0" aria-labelledby="fleet-heading" id="fleet-body"></div>
  </section>`;

/** Of an operation that somebody chooses. */
const configuration = `<section class="panel half" id="configuration" aria-labelledby="configuration-heading">
    <div class="head"><h2 id="configuration-heading">Configuration</h2><p class="count" id="configuration-count" hidden></p>
      <select id="configuration-of" aria-label="Operation"><option value="">Choose an operation</option></select></div>
    <div class="scroll" role="region" tabindex="0" aria-labelledby="configuration-heading" id="configuration-body"></div>
  </section>`;

function section(id: string, title: string, note: string, width = ''): string {
  return `<section class="panel ${width}" id="${id}" aria-labelledby="${id}-heading">
    <div class="head"><h2 id="${id}-heading">${title}</h2><p>${note}</p><p class="count" id="${id}-count"></p></div>
    <div class="scroll" role="region" tabindex="0" aria-labelledby="${id}-heading" id="${id}-body"></div>
  </section>`;
}
