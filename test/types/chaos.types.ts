/** What compiles of rules of chaos and what does not: checked by `npm run typecheck`. */
import type { CanActivate } from '@nestjs/common';
import {
  type Chaos,
  type ChaosRule,
  type ResilienceEvent,
  ResilienceModule,
} from '../../lib/index.js';

declare const chaos: Chaos;
declare class Guard implements CanActivate {
  canActivate(): boolean;
}

chaos.add({ operations: 'PaymentsClient.*', error: true }).toUpperCase();
chaos.add({ operations: /Payments/, upstream: 'bank', rate: 0.1, error: () => 'down' });
chaos.add({ upstream: 'bank', hang: true, forMs: 1_000 });
chaos.add({ operations: '*', latencyMs: [100, 200], until: new Date() });
chaos.add({ operations: '*', latencyMs: 5, result: (id: string) => ({ id }) });
// @ts-expect-error of no operation
chaos.add({ error: true });
// @ts-expect-error it does nothing
chaos.add({ operations: '*', rate: 0.5 });
// @ts-expect-error two things in the place of the work
chaos.add({ operations: '*', error: true, hang: true });
// @ts-expect-error two things in the place of the work
chaos.add({ operations: '*', error: true, result: 1 });
// @ts-expect-error what hangs never comes
chaos.add({ operations: '*', hang: true, latencyMs: 5 });
// @ts-expect-error two ends
chaos.add({ operations: '*', hang: true, forMs: 5, until: new Date() });
// @ts-expect-error an error is made anew each time
chaos.add({ operations: '*', error: new Error('down') });
// @ts-expect-error no bounds
chaos.add({ operations: '*', latencyMs: [1, 2, 3] });
// @ts-expect-error an unknown option
chaos.add({ operations: '*', error: true, rates: 0.5 });

const rules: ChaosRule[] = [{ operations: '*', error: true }];
ResilienceModule.forRoot({ chaos: {} });
ResilienceModule.forRoot({ chaos: { rules, random: () => 0.5, allowInProduction: true } });
ResilienceModule.forRoot({ chaos: { header: { name: 'x-chaos', allow: Guard } } });
ResilienceModule.forRoot({ chaos: { header: { name: 'x-chaos', allow: new Guard() } } });
ResilienceModule.forRoot({
  chaos: { header: { name: 'x-chaos', allow: async (context) => context.getType() === 'http' } },
});
// @ts-expect-error nobody says who may
ResilienceModule.forRoot({ chaos: { header: { name: 'x-chaos' } } });
// @ts-expect-error an unknown option
ResilienceModule.forRoot({ chaos: { rule: [] } });

export function effectOf(event: ResilienceEvent): string | undefined {
  return event.type === 'chaos' ? `${event.rule}: ${event.effect}` : undefined;
}
