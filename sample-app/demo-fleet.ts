import { auditOnceSettled } from './demo/audit.js';
import { FLEET_ROWS, type FleetResult } from './demo/fleet/fleet-report.js';
import { FLEET_SCRIPT, type FleetPhase } from './demo/fleet/fleet-script.js';
import { fleetView } from './demo/fleet/fleet-view.js';
import { OutageBook } from './demo/fleet/outage-book.js';
import { RedisServer } from './demo/fleet/redis-server.js';
import { ShopFleet } from './demo/fleet/shop-fleet.js';
import { play } from './demo/play.js';
import { brokenPromises, reservations, table } from './demo/report.js';
import { lengthOf } from './demo/script.js';
import { ShopOnTrial } from './demo/shop-on-trial.js';
import { LiveBlock, paint } from './demo/terminal.js';

const REQUESTS_PER_SECOND = 30;

// Whatever ends this process ends Redis, and the instances that hear nothing of it any more.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => process.exit(1));

try {
  await demonstrate();
} catch (error) {
  console.error(paint('red', (error as Error).message));
  process.exit(1);
}

async function demonstrate(): Promise<void> {
  const redis = new RedisServer();
  await redis.start();
  const shops = [
    await ShopOnTrial.open('each by itself', (urls) => ShopFleet.start(urls)),
    await ShopOnTrial.open('a fleet', (urls) => ShopFleet.start(urls, redis.url)),
  ];
  const books = shops.map((shop) => new OutageBook(shop));
  console.log(
    'Two shops of five processes each, the same customers, the same outage: ' +
      `${lengthOf(FLEET_SCRIPT)} seconds.\nOnly those of the second share what they learn, by a Redis that fails, too.\n`,
  );
  const stoodStillMs = await play({
    script: FLEET_SCRIPT,
    shops,
    requestsPerSecond: REQUESTS_PER_SECOND,
    live: new LiveBlock(),
    async begin(phase) {
      await befall(redis, phase);
      for (const book of books) book.begin(phase);
    },
    view: () => shops.map(fleetView),
  });
  const results: FleetResult[] = [];
  for (const [index, shop] of shops.entries()) {
    books[index]?.end();
    results.push({
      shop,
      audit: await auditOnceSettled(shop),
      outages: books[index]?.outages ?? [],
    });
  }
  console.log(`\n${table(FLEET_ROWS, results)}\n`);
  conclude(results, stoodStillMs);
  await Promise.all(shops.map((shop) => shop.close()));
  await redis.kill();
}

async function befall(redis: RedisServer, phase: FleetPhase): Promise<void> {
  if (phase.redis === 'freezes') redis.freeze();
  if (phase.redis !== 'starts anew') return;
  await redis.kill();
  await redis.start();
}

function conclude(results: readonly FleetResult[], stoodStillMs: number): void {
  for (const reservation of reservations(stoodStillMs)) console.log(paint('yellow', reservation));
  for (const result of results)
    for (const promise of brokenPromises(result, stoodStillMs)) {
      process.exitCode = 1;
      console.error(paint('red', `${result.shop.label}: ${promise}`));
    }
  const lost = results.flatMap(({ shop }) => shop.tally.failures('order'));
  if (lost.length === 0 && process.exitCode !== 1)
    console.log(paint('green', 'No order was lost, with Redis or without it.'));
}
