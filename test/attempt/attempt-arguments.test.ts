import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { lastValueFrom, type Observable, of } from 'rxjs';
import {
  type AttemptStage,
  decoratorOf,
  defineStage,
  executeThrough,
  Hedge,
  ResilienceModule,
  ResilienceService,
  Retry,
  type StageAttempt,
  Timeout,
  WAIT,
} from '../../lib/index.js';
import { bootBare, closeAll } from '../binding/support.js';

type Seen = { self: unknown; args: readonly unknown[] };

const seen: Seen[] = [];
const sees = ({ self, args }: StageAttempt): number => seen.push({ self, args: [...args] });

/** Notes what each hook is told that an attempt is called with. */
const witness = defineStage({
  name: 'witness',
  options: {},
  make: () => ({
    admit: (attempt: StageAttempt) => sees(attempt),
    settled: (_permit: unknown, attempt: StageAttempt) => void sees(attempt),
    finished: (_permit: unknown, attempt: StageAttempt) => void sees(attempt),
  }),
});
const Witness = decoratorOf(witness);

@Injectable()
class Partner {
  readonly baseUrl = 'https://partner.example';
  failures = 0;

  @Witness()
  async plain(tenant: string, ..._ids: number[]): Promise<string> {
    return tenant;
  }

  @Witness()
  @Timeout(1_000)
  async cut(_tenant: string): Promise<string> {
    return this.baseUrl;
  }

  @Witness()
  @Hedge({ delayMs: 1_000 })
  async hedged(_tenant: string): Promise<string> {
    return this.baseUrl;
  }

  @Witness()
  @Retry({ maxAttempts: 2, baseDelayMs: 0 })
  async retried(_tenant: string): Promise<string> {
    if (this.failures++ === 0) throw new Error('once');
    return this.baseUrl;
  }

  @Witness()
  stream(_tenant: string): Observable<string> {
    return of(this.baseUrl);
  }

  @Witness()
  async *generate(_tenant: string): AsyncGenerator<string> {
    yield this.baseUrl;
  }
}

beforeEach(() => {
  seen.length = 0;
});
afterEach(closeAll);

async function boot() {
  const { app } = await bootBare({
    imports: [
      ResilienceModule.forRoot({ stages: [witness], services: { bundle: { witness: {} } } }),
    ],
    providers: [Partner],
  });
  return { partner: app.get(Partner), service: app.get(ResilienceService) };
}

const WAYS: Record<string, (partner: Partner) => Promise<unknown>> = {
  'that goes straight': (partner) => partner.plain('acme'),
  'that can be cut': (partner) => partner.cut('acme'),
  'that is hedged': (partner) => partner.hedged('acme'),
  'that is tried again': (partner) => partner.retried('acme'),
  'of a stream': (partner) => lastValueFrom(partner.stream('acme')),
  'of a generator': async (partner) => {
    for await (const _value of partner.generate('acme'));
  },
};

describe('What a stage knows of the call that an attempt belongs to', () => {
  it.each(Object.keys(WAYS))('is the object and the arguments of one %s', async (way) => {
    const { partner } = await boot();
    await WAYS[way]?.(partner);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    for (const each of seen) expect(each).toEqual({ self: partner, args: ['acme'] });
  });

  it('is all arguments, also those that a method does not name', async () => {
    const { partner } = await boot();
    await partner.plain('acme', 1, 2);
    expect(seen[0]?.args).toEqual(['acme', 1, 2]);
  });

  it('is what a caller of a function says, without an object', async () => {
    const { service } = await boot();
    const given: unknown[][] = [];
    const fn = async (...args: unknown[]) => void given.push(args);
    await service.execute('bundle', fn, { args: ['acme', 7] });
    const pipeline = service.pipeline({ witness: {} } as object);
    await pipeline.execute(fn, { args: ['acme', 7] });
    await lastValueFrom(pipeline.observe(() => of(1), { args: ['acme', 7] }));
    expect(seen).toHaveLength(9);
    for (const each of seen) expect(each).toEqual({ self: undefined, args: ['acme', 7] });
    for (const args of given) expect(args).toHaveLength(1); // the attempt
  });

  it('is nothing where the caller of a function says nothing', async () => {
    const { service } = await boot();
    await service.execute('bundle', async () => 1);
    expect(seen[0]).toEqual({ self: undefined, args: [] });
  });

  it('is nothing in a call of a policy by itself, in a scope, outside, or after a wait', async () => {
    let waits = false;
    const stage: AttemptStage = {
      admit: (attempt) => {
        sees(attempt);
        return waits ? WAIT : undefined;
      },
      wait: (attempt, admitted) => {
        sees(attempt);
        admitted(() => ({ permit: undefined }));
        return () => undefined;
      },
      settled: (_permit, attempt) => void sees(attempt),
    };
    await executeThrough(stage, async () => 1);
    await executeThrough({ ...stage, needsScope: true }, async () => 1);
    waits = true;
    await executeThrough({ ...stage }, async () => 1);
    expect(seen).toHaveLength(7);
    for (const each of seen) expect(each).toEqual({ self: undefined, args: [] });
  });
});
