/** The program of one instance of the shop: its own process, which ends with the demo's. */
import 'reflect-metadata';
import { subscribe } from 'node:diagnostics_channel';
import { NestFactory } from '@nestjs/core';
import type { CircuitBreakerPolicy } from 'nestjs-bulwark';
import { CircuitState, getCircuitBreakerToken, ResilienceEvents } from 'nestjs-bulwark';
import { AppModule } from '../../app.module.js';
import { fleetAt } from '../../fleet.js';
import type { UpstreamUrls } from '../../upstreams/upstreams.js';
import type { InstanceMessage } from './instance-process.js';

const { UPSTREAMS = '{}', REDIS_URL } = process.env;
const urls = JSON.parse(UPSTREAMS) as UpstreamUrls;

process.once('disconnect', () => process.exit());
process.on('SIGINT', () => {}); // Ctrl-C is for the demo, which then goes away

const app = await NestFactory.create(
  AppModule.protected(urls, { alerts: [], logErrors: false, fleet: fleetAt(REDIS_URL) }),
  { logger: ['fatal'], forceCloseConnections: true },
);
await app.listen(0, '127.0.0.1');
watchPayments();
tell({ type: 'ready', url: await app.getUrl() });
process.once('message', async () => {
  await app.close();
  process.disconnect();
});

function watchPayments(): void {
  const breaker = app.get<CircuitBreakerPolicy>(getCircuitBreakerToken('payments'));
  app.get(ResilienceEvents).events$.subscribe((event) => {
    if (event.type !== 'circuit-state' || event.breaker !== breaker.name) return;
    tell({ type: 'state', state: event.to, at: now() });
  });
  // What half-open breakers let through are probes.
  subscribe('undici:request:create', (message) => {
    const { request } = message as { request: { origin: string } };
    if (request.origin === urls.payments && breaker.getState() === CircuitState.HALF_OPEN)
      tell({ type: 'probe', at: now() });
  });
}

function tell(message: InstanceMessage): void {
  process.send?.(message);
}

/** By one clock for all processes. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
