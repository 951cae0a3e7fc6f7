import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  BulkheadRegistry,
  CircuitBreakerRegistry,
  InMemoryMetrics,
  type Pipeline,
  RateLimitRegistry,
  type ResilienceModuleOptions,
  ResilienceService,
  type ServiceOptions,
} from '../../lib/index.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { boot, closeAll } from './support.js';

afterEach(closeAll);

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

async function start() {
  const { app } = await boot({}, { breakers: { payments: {} }, bulkheads: { write: {} } });
  const service = app.get(ResilienceService);
  return {
    service,
    make: (options: ServiceOptions & { name?: string }) => service.pipeline(options),
    breakers: app.get(CircuitBreakerRegistry),
    bulkheads: app.get(BulkheadRegistry),
    metrics: app.get(InMemoryMetrics),
    operations: () => service.describe().map(({ operation }) => operation),
  };
}

/** Collects garbage, until it is so where that is given; what is held is never collected, however often this tries. */
async function collect(isDone: () => boolean = () => false, rounds = 2): Promise<void> {
  for (let round = 0; round < rounds && !isDone(); round++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
}

const KINDS: [string, ServiceOptions][] = [
  ['without policies of its own', { retry: { maxAttempts: 2 }, circuitBreaker: 'payments' }],
  ['with a breaker and a bulkhead of its own', { circuitBreaker: {}, bulkhead: {} }],
  [
    'with all stages',
    {
      critical: true,
      upstream: 'api',
      timeoutMs: 100,
      retry: {},
      hedge: { delayMs: 50 },
      bulkhead: 'write',
      circuitBreaker: {},
    },
  ],
];

describe.each(KINDS)('A pipeline %s', (_kind, options) => {
  it('that is made for each request and that nobody holds is not kept, nor are its policies', async () => {
    const { make, breakers, bulkheads, operations } = await start();
    for (let request = 0; request < 500; request++)
      expect(await make(options).execute(async () => request)).toBe(request);
    const isGone = () =>
      operations().length + breakers.list().length + bulkheads.list().length === 2;
    await collect(isGone, 50);
    expect(operations()).toEqual([]);
    expect(breakers.list().map(({ name }) => name)).toEqual(['payments']);
    expect(bulkheads.list().map(({ name }) => name)).toEqual(['write']);
  });

  it('that somebody holds stays, with its policies', async () => {
    const { make, breakers, bulkheads, operations } = await start();
    const held = make({ ...options, name: 'held' });
    const counts = [breakers.list().length, bulkheads.list().length];
    await collect();
    expect(operations()).toEqual(['held']);
    expect([breakers.list().length, bulkheads.list().length]).toEqual(counts);
    expect(await held.execute(async () => 1)).toBe(1);
  });

  it('that is disposed of gives all its names free, at once', async () => {
    const { make, breakers, bulkheads, operations } = await start();
    const dispose: ((pipeline: Pipeline) => void)[] = [
      (pipeline) => pipeline.dispose(),
      (pipeline) => pipeline[Symbol.dispose](),
    ];
    for (const end of dispose) {
      const pipeline = make({ ...options, name: 'tenant' });
      expect(operations()).toEqual(['tenant']);
      end(pipeline);
      end(pipeline); // again is no harm
      expect(operations()).toEqual([]);
      expect(breakers.list().map(({ name }) => name)).toEqual(['payments']);
      expect(bulkheads.list().map(({ name }) => name)).toEqual(['write']);
      expect(await pipeline.execute(async () => 1)).toBe(1);
    }
  });
});

it('The gauges tell of no open breaker and no busy bulkhead of a pipeline that is disposed of', async () => {
  const { make, metrics } = await start();
  const pipeline = make({ name: 'tenant', circuitBreaker: {}, bulkhead: {} });
  pipeline.plan.stages.circuitBreaker?.forceOpen();
  void pipeline.plan.stages.bulkhead?.execute(() => new Promise(() => undefined));
  const told = () => [
    metrics.get('circuit.state', { breaker: 'tenant' }),
    metrics.get('bulkhead.running', { bulkhead: 'tenant' }),
  ];
  expect(told()).toEqual([2, 1]);
  pipeline.dispose();
  expect(told()).toEqual([0, 0]);
  metrics.reset();
  expect(told()).toEqual([0, 0]);
});

it('A call that is under way holds its pipeline, and goes on when that is disposed of', async () => {
  const { make, operations } = await start();
  let answer: (value: number) => void = () => undefined;
  const running = make({ circuitBreaker: {}, bulkhead: {} }).execute(
    () =>
      new Promise<number>((resolve) => {
        answer = resolve;
      }),
  );
  await collect();
  answer(7);
  expect(await running).toBe(7);
  const pipeline = make({ name: 'ending' });
  const slow = pipeline.execute(() => new Promise((resolve) => setImmediate(resolve, 8)));
  pipeline.dispose();
  expect(await slow).toBe(8);
  expect(operations()).not.toContain('ending');
});

it('A breaker of a pipeline that is gone stays while another pipeline shares it', async () => {
  const { make, breakers } = await start();
  make({ name: 'first', circuitBreaker: { failureThreshold: 1 } });
  const second = make({ name: 'second', circuitBreaker: 'first' });
  await expect(second.execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
  await collect();
  expect(breakers.get('first').getState()).toBe('OPEN');
  await expect(second.execute(async () => 1)).rejects.toThrow('"first" is open');
});

it('A disposed pipeline takes nothing from another that has its name since', async () => {
  const { make, breakers, operations } = await start();
  const first = make({ name: 'tenant', circuitBreaker: {} });
  first.dispose();
  const second = make({ name: 'tenant', circuitBreaker: {} });
  first.dispose();
  expect(operations()).toEqual(['tenant']);
  expect(breakers.get('tenant')).toBe(second.plan.stages.circuitBreaker);
});

it('Pipelines without a name and without policies of their own are one operation to the metrics', async () => {
  const { make, metrics } = await start();
  for (let request = 0; request < 3; request++)
    await make({ timeoutMs: 100 }).execute(async () => 1);
  expect(metrics.get('requests.total', { operation: 'pipeline' })).toBe(3);
});

it.each([
  ['breaker', { circuitBreaker: { shared: true } }, CircuitBreakerRegistry],
  ['rate limit', { rateLimit: { limit: 10, shared: true } }, RateLimitRegistry],
  ['bulkhead', { bulkhead: { maxConcurrent: 10, shared: true } }, BulkheadRegistry],
] as const)(
  'A %s that a pipeline shares with other instances goes with it',
  async (_, options, registry) => {
    const hub = new MemoryFleet();
    const { app } = await boot({}, { fleet: hub.fleet({ bulkheadLeaseMs: 300 }) });
    const service = app.get(ResilienceService);
    const all = app.get<{ list(): unknown[] }>(registry);
    for (let request = 0; request < 100; request++)
      service.pipeline({ name: `checkout-${request}`, ...options });
    // A bulkhead has a timer until it gives up its part, which it does while it has no calls.
    do await new Promise((resolve) => setTimeout(resolve, 50));
    while (!hub.boards.slots.store.isEmpty);
    await collect(() => all.list().length === 0, 100);
    expect(all.list().length).toBe(0);
  },
);

describe('A pipeline without a name in an application that has a fleet', () => {
  const start = async (defaults: ResilienceModuleOptions['defaults'] = {}) => {
    const { app } = await boot({}, { defaults, fleet: new MemoryFleet().fleet() });
    const service = app.get(ResilienceService);
    return (options: ServiceOptions & { name?: string }) => () => service.pipeline(options);
  };

  it('shares no policy of its own, which would be another one in each instance', async () => {
    const making = await start();
    const missing =
      "ResilienceService.pipeline().name: is missing, and instances share its circuitBreaker by it; allowed: a name, such as 'checkout'";
    expect(making({ circuitBreaker: { shared: true } })).toThrow(missing);
    expect(making({ circuitBreaker: { shared: { quorum: 1 } } })).toThrow(missing);
    expect(making({ circuitBreaker: { shared: false } })).not.toThrow();
    expect(making({ name: 'checkout', circuitBreaker: { shared: true } })).not.toThrow();
  });

  it('does not by the defaults either', async () => {
    const making = await start({ circuitBreaker: { shared: true } });
    expect(making({ circuitBreaker: {} })).toThrow('name: is missing');
    expect(making({ circuitBreaker: { shared: false } })).not.toThrow();
    expect(making({ timeoutMs: 100 })).not.toThrow();
  });
});
