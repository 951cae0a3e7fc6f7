import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { type AlertChannel, WebhookAlerts } from 'nestjs-bulwark';
import { AppModule } from './app.module.js';
import { OUTAGE } from './chaos/outage.js';
import { fleetAt } from './fleet.js';
import { FAULTS } from './upstreams/fault.js';
import { UPSTREAM_NAMES, Upstreams } from './upstreams/upstreams.js';

/** Where a real shop would page somebody. */
const pager: AlertChannel = {
  sendCritical: (message, { suppressed }) =>
    console.error(`ALERT ${message}${suppressed > 0 ? ` (and ${suppressed} more)` : ''}`),
};

/** And a chat, if there is one: ALERT_WEBHOOK=https://hooks.example/alerts npm start */
const { ALERT_WEBHOOK } = process.env;
const alerts = ALERT_WEBHOOK ? [pager, new WebhookAlerts({ url: ALERT_WEBHOOK })] : [pager];

/** With the outage from the start: CHAOS=outage npm start */
const chaos = { rules: process.env.CHAOS === 'outage' ? [...OUTAGE] : [] };

/** As one of several that share what they learn: REDIS_URL=redis://127.0.0.1 npm start */
const fleet = fleetAt(process.env.REDIS_URL);

const port = Number(process.env.PORT ?? 3_000);
const upstreams = await Upstreams.start();
const app = await NestFactory.create(
  AppModule.protected(upstreams.urls, { alerts, logErrors: true, chaos, fleet, upstreams }),
  {
    logger: ['warn', 'error'],
    forceCloseConnections: true, // customers who keep theirs would keep a closed shop open
  },
);

async function close(): Promise<void> {
  await app.close();
  await upstreams.close();
}

try {
  await app.listen(port, '127.0.0.1');
  process.once('SIGINT', close).once('SIGTERM', close);
  console.log(whatToTry(await app.getUrl()));
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  console.error(`Port ${port} is taken. Choose another: PORT=3001 npm start`);
  process.exitCode = 1;
  await close();
}

function whatToTry(shop: string): string {
  const json = "-H 'content-type: application/json' -d";
  const control = "-H 'x-resilience-control: 1' -H 'x-user: alice'";
  return `
The shop is open: ${shop}
Watch it live:    ${shop}/resilience
By a script:      ${shop}/admin/openapi.json

  curl ${shop}/products/1
  curl -X POST ${shop}/orders ${json} '{"productId":"1"}'
  curl ${shop}/health    # what terminus says, breakers and bulkhead
  curl ${shop}/errors    # what went wrong lately
  curl ${shop}/metrics   # what Prometheus scrapes

Break something, and try again a few times:

  curl -X PUT ${shop}/upstreams/payments/fault ${json} '{"fault":"unavailable"}'

  upstreams  ${UPSTREAM_NAMES.join(', ')}
  faults     ${FAULTS.join(', ')}

Or leave them alone, and break the calls for 20 seconds (DELETE ends it, and so does a button of the page):

  curl -X POST ${shop}/chaos

Change it while it runs, and see on the page and in the log what has changed and who did it:

  curl -X POST ${shop}/admin/reconfigure ${control} ${json} '{"timeouts":{"payments":{"client":500}}}'
  curl ${shop}/admin/configuration   # what is in force, and where it comes from
  curl ${shop}/admin/advice          # what would be better, by the calls so far

Or begin in shadow mode, where all is measured and nobody is rejected:

  RESILIENCE_OVERRIDES='{"mode":"shadow"}' npm start

Open more shops in other windows, which share what they learn where there is a Redis (all with its address):

  REDIS_URL=redis://127.0.0.1 PORT=3001 npm start

Ctrl-C closes the shop.
`;
}
