/** Wrong overrides do not compile. */

import { of } from 'rxjs';
import {
  defineStage,
  ResilienceModule,
  type ResilienceOverrides,
  type ResilienceService,
  rules,
} from '../../lib/index.js';

const gate = defineStage({
  name: 'gate',
  named: 'gates',
  options: { width: rules.count },
  defaults: { width: 1 },
  make: () => ({ admit: () => undefined, change: () => undefined }),
});

export function wrong(service: ResilienceService): void {
  // @ts-expect-error breakers
  service.reconfigure({ breaker: { payments: { timeoutMs: 5_000 } } });
  // @ts-expect-error operations
  service.reconfigure({ operation: { 'Payments.charge': { timeout: 800 } } });
  // @ts-expect-error retry
  service.reconfigure({ operations: { 'Payments.charge': { retries: { maxAttempts: 1 } } } });
  // @ts-expect-error JSON has to be parsed
  service.reconfigure('{}');
  // @ts-expect-error an object
  service.reconfigure([]);
  // @ts-expect-error not a stage that the call says there is
  service.reconfigure({ gates: { front: { width: 2 } } });
  // @ts-expect-error a number
  service.reconfigure<[typeof gate]>({ gates: { front: { width: '2' } } });
  // @ts-expect-error overrides are of the stages in the same options
  ResilienceModule.forRoot({ overrides: { gates: { front: { width: 2 } } } });
}

export function right(service: ResilienceService): void {
  const said: ResilienceOverrides<[typeof gate]> = {
    gates: { front: { width: 2 } },
    all: { gate: { enabled: false }, retry: 1 },
  };
  service.reconfigure<[typeof gate]>(said);
  service.reconfigure<[typeof gate]>({ gates: { front: null }, all: null });
  ResilienceModule.forRoot({ stages: [gate], overrides: said, changes: of(said) });
}
