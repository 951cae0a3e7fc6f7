import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlertChannel } from 'nestjs-bulwark';
import { AppModule } from './app.module.js';
import { auditOnceSettled } from './demo/audit.js';
import { Crowd } from './demo/crowd.js';
import { liveView } from './demo/live-view.js';
import { brokenPromises, type Result, table } from './demo/report.js';
import { SCRIPT, SCRIPT_SECONDS } from './demo/script.js';
import { ShopOnTrial } from './demo/shop-on-trial.js';
import { LiveBlock, paint } from './demo/terminal.js';

const REFRESH_MS = 250;
const SETTLING_MS = 5_000;

const live = new LiveBlock();
const alerts: AlertChannel = {
  sendCritical: (message, { suppressed }) =>
    live.note(paint('yellow', `        alert: ${message} (${suppressed} more held back)`)),
};

const shops = [
  await ShopOnTrial.open('protected', (upstreams) =>
    AppModule.protected(upstreams, { alerts: [alerts], logErrors: false }),
  ),
  await ShopOnTrial.open('unprotected', (upstreams) => AppModule.unprotected(upstreams)),
] as const;

console.log(
  `Two equal shops, the same customers, the same outage: ${SCRIPT_SECONDS} seconds.\n` +
    'Only the first has its protections switched on.\n',
);
await playScript();
const results = [await judge(shops[0]), await judge(shops[1])] as const;
console.log(`\n${table(results)}\n`);
conclude();
await Promise.all(shops.map((shop) => shop.close()));

async function playScript(): Promise<void> {
  const crowd = new Crowd(shops);
  const startedAt = performance.now();
  const elapsedSeconds = () => (performance.now() - startedAt) / 1_000;
  crowd.start();
  let endsAt = 0;
  for (const phase of SCRIPT) {
    await Promise.all(shops.map((shop) => shop.enter(phase)));
    live.note(paint('bold', `[${elapsedSeconds().toFixed(1).padStart(4)}s] ${phase.title}`));
    endsAt += phase.seconds;
    while (elapsedSeconds() < endsAt) {
      live.show(await liveView(elapsedSeconds(), phase.title, ...shops));
      await sleep(REFRESH_MS);
    }
  }
  await crowd.stop();
  live.erase();
}

async function judge(shop: ShopOnTrial): Promise<Result> {
  return { shop, audit: await auditOnceSettled(shop, SETTLING_MS) };
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
