import 'reflect-metadata';
import type { AlertChannel } from 'nestjs-bulwark';
import { AppModule } from './app.module.js';
import { auditOnceSettled } from './demo/audit.js';
import { liveView } from './demo/live-view.js';
import { openShop } from './demo/open-shop.js';
import { play } from './demo/play.js';
import { brokenPromises, type Result, ROWS, reservations, table } from './demo/report.js';
import { lengthOf, REHEARSAL, SCRIPT } from './demo/script.js';
import { ShopOnTrial } from './demo/shop-on-trial.js';
import { LiveBlock, paint } from './demo/terminal.js';
import { openWatchingShop } from './demo/watching-shop.js';

const REQUESTS_PER_SECOND = 40;
const REHEARSAL_PER_SECOND = 100;

const live = new LiveBlock();
const alerts: AlertChannel = {
  sendCritical: (message, { suppressed }) =>
    live.note(paint('yellow', `        alert: ${message} (${suppressed} more held back)`)),
};

const shops = [
  await ShopOnTrial.open('protected', (urls) =>
    openShop(AppModule.protected(urls, { alerts: [alerts], logErrors: false })),
  ),
  await ShopOnTrial.open('unprotected', (urls) => openShop(AppModule.unprotected(urls))),
] as const;
const advised = await ShopOnTrial.open('advised', (urls) => openWatchingShop(urls, [alerts]));

console.log(
  `A shop that nobody has tuned watches a rehearsal, in shadow mode: ${lengthOf(REHEARSAL)} seconds.\n`,
);
let stoodStillMs = await play({
  script: REHEARSAL,
  shops: [advised],
  requestsPerSecond: REHEARSAL_PER_SECOND,
  live,
  view: () => liveView([advised]),
});
const advice = advised.shop.followAdvice();
advised.beginAnew();
console.log(`It follows the advice that it has from that, and enforces it:\n`);
for (const line of advice) console.log(`  ${line}`);

console.log(
  `\nThree equal shops, the same customers, the same outage: ${lengthOf(SCRIPT)} seconds.\n` +
    'The first has its protections switched on, the second has none, the third goes by the advice.\n',
);
const all = [...shops, advised];
stoodStillMs += await play({
  script: SCRIPT,
  shops: all,
  requestsPerSecond: REQUESTS_PER_SECOND,
  live,
  view: () => liveView(all),
});
const results = await Promise.all(all.map(judge));
console.log(`\n${table(ROWS, results)}\n`);
conclude();
await Promise.all(all.map((shop) => shop.close()));

async function judge(shop: ShopOnTrial): Promise<Result> {
  return { shop, audit: await auditOnceSettled(shop) };
}

function conclude(): void {
  const [protectedResult, unprotectedResult, advisedResult] = results as [Result, Result, Result];
  for (const reservation of reservations(stoodStillMs)) console.log(paint('yellow', reservation));
  for (const result of [protectedResult, advisedResult])
    for (const promise of brokenPromises(result, stoodStillMs)) {
      process.exitCode = 1;
      console.error(paint('red', `${result.shop.label}: ${promise}`));
    }
  if (process.exitCode === 1) return;
  const saved = protectedResult.audit.accepted;
  const lost = unprotectedResult.shop.tally.failures('order').length;
  console.log(
    paint('green', `The protected shop saved all ${saved} orders, each charged exactly once.`) +
      `\nSo did the advised one (${advisedResult.audit.accepted}). The unprotected shop lost ${lost}.`,
  );
}
