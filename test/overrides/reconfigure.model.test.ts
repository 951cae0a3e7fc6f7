import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  type ResilienceOverrides,
  ResilienceService,
  Retry,
  Timeout,
  Upstream,
} from '../../lib/index.js';
import { booting } from '../support/resilience-app.js';

@Injectable()
@Upstream('bank')
class Payments {
  @Retry({ maxAttempts: 3 })
  @Timeout(1_000)
  async charge(): Promise<void> {}

  @Retry({ maxAttempts: 4 })
  @Timeout(2_000)
  async refund(): Promise<void> {}
}

const OPTIONS = { retry: 'maxAttempts', timeout: 'attemptMs' } as const;
type Stage = keyof typeof OPTIONS;
/** What was said last, by selector, stage and option. */
type Model = Map<string, number | boolean>;

const SELECTORS = [
  'all',
  'upstreams.bank',
  'classes.Payments',
  'operations.Payments.charge',
  'operations.Payments.refund',
];
const BELOW = { charge: { retry: 3, timeout: 1_000 }, refund: { retry: 4, timeout: 2_000 } };

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What an operation comes to by the model; `undefined` where the stage is off. */
function expected(model: Model, method: 'charge' | 'refund', stage: Stage): number | undefined {
  let value: number = BELOW[method][stage];
  let isOn = true;
  for (const selector of SELECTORS) {
    if (selector.startsWith('operations.') && !selector.endsWith(method)) continue;
    const said = (what: string) => model.get(`${selector}/${what}`);
    isOn = (said(`${stage}.enabled`) ?? said('enabled') ?? isOn) as boolean;
    value = (said(`${stage}.${OPTIONS[stage]}`) ?? value) as number;
  }
  return isOn ? value : undefined;
}

function overridesOf(selector: string, said: object | null): ResilienceOverrides {
  const dot = selector.indexOf('.');
  return dot === -1
    ? { [selector]: said }
    : { [selector.slice(0, dot)]: { [selector.slice(dot + 1)]: said } };
}

const boot = booting();

it('is at any time what was said last of each option by the most particular, whatever was refused or taken back between', async () => {
  const app = await boot({}, [Payments]);
  const service = app.module.get(ResilienceService);
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const oneOf = <T>(values: readonly T[]) => values[Math.floor(next() * values.length)] as T;
    const model: Model = new Map();
    service.reconfigure({ all: null, upstreams: null, classes: null, operations: null });
    for (let step = 0; step < 15; step++) {
      const selector = oneOf(SELECTORS);
      const stage = oneOf(['retry', 'timeout'] as const);
      const option = oneOf([OPTIONS[stage], OPTIONS[stage], 'enabled']);
      const value = oneOf([
        null,
        option === 'enabled' ? next() < 0.5 : 1 + Math.floor(next() * 500),
      ]);
      const kind = next();
      if (kind < 0.2) {
        // Its first half is fine, and must not apply.
        const wrong = {
          ...overridesOf(selector, { [stage]: { [option]: value } }),
          breakers: { nobody: {} },
        };
        expect(() => service.reconfigure(wrong)).toThrow('breakers.nobody');
      } else if (kind < 0.3) {
        service.reconfigure(overridesOf(selector, null));
        for (const key of model.keys()) if (key.startsWith(`${selector}/`)) model.delete(key);
      } else {
        const isGeneral = option === 'enabled' && next() < 0.3;
        const place = isGeneral ? 'enabled' : `${stage}.${option}`;
        service.reconfigure(
          overridesOf(selector, isGeneral ? { enabled: value } : { [stage]: { [option]: value } }),
        );
        if (value === null) model.delete(`${selector}/${place}`);
        else model.set(`${selector}/${place}`, value);
      }
      for (const method of ['charge', 'refund'] as const) {
        const described = service
          .describe()
          .find(({ operation }) => operation === `Payments.${method}`);
        const { retry, timeout } = (described?.stages ?? {}) as {
          retry?: { maxAttempts: number };
          timeout?: { timeoutMs: number };
        };
        expect({ seed, step, retry: retry?.maxAttempts, timeout: timeout?.timeoutMs }).toEqual({
          seed,
          step,
          retry: expected(model, method, 'retry'),
          timeout: expected(model, method, 'timeout'),
        });
      }
    }
  }
});
