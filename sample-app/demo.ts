import 'reflect-metadata';
import type { AlertChannel } from 'nestjs-bulwark';
import { AppModule } from './app.module.js';
import { auditOnceSettled } from './demo/audit.js';
import { liveView } from './demo/live-view.js';
import { openShop } from './demo/open-shop.js';
import { play } from './demo/play.js';
import { brokenPromises, type Result, ROWS, table } from './demo/report.js';
import { lengthOf, SCRIPT } from './demo/script.js';
import { ShopOnTrial } from './demo/shop-on-trial.js';
import { LiveBlock, paint } from './demo/terminal.js';

const REQUESTS_PER_SECOND = 40;

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

console.log(
  `Two equal shops, the same customers, the same outage: ${lengthOf(SCRIPT)} seconds.\n` +
    'Only the first has its protections switched on.\n',
);
await play({
  script: SCRIPT,
  shops,
  requestsPerSecond: REQUESTS_PER_SECOND,
  live,
  view: () => liveView(...shops),
});
const results = [await judge(shops[0]), await judge(shops[1])] as const;
console.log(`\n${table(ROWS, results)}\n`);
conclude();
await Promise.all(shops.map((shop) => shop.close()));

async function judge(shop: ShopOnTrial): Promise<Result> {
  return { shop, audit: await auditOnceSettled(shop) };
}

function conclude(): void {
  const [protectedResult, unprotectedResult] = results;
  const broken = brokenPromises(protectedResult);
  if (broken.length > 0) {
    process.exitCode = 1;
    for (const promise of broken) console.error(paint('red', `The protected shop: ${promise}`));
    return;
  }
  const { accepted } = protectedResult.audit;
  const lost = unprotectedResult.shop.tally.failures('order').length;
  console.log(
    paint('green', `The protected shop saved all ${accepted} orders, each charged exactly once.`) +
      `\nThe unprotected shop lost ${lost}.`,
  );
}
