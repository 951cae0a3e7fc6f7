import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Subject } from 'rxjs';
import { READY } from '../../lib/binding/policy-providers.js';
import type { ResilienceRuntime } from '../../lib/binding/runtime.js';
import {
  Bulkhead,
  Chaos,
  CircuitBreaker,
  Coalesce,
  Critical,
  Fallback,
  type FleetMember,
  Hedge,
  RateLimit,
  type ResilienceOverrides,
  Retry,
  Timeout,
  Upstream,
} from '../../lib/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import type { Scrape } from '../support/prometheus.js';
import { parsePrometheusText } from '../support/prometheus-text.js';
import { ResilienceApp } from '../support/resilience-app.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** How long each part of the story takes, in minutes. */
const QUIET = 20;
const BLIP = 2;
const AFTER_BLIP = 40;
const OUTAGE = 45;
const AFTER_OUTAGE = 60;

export const SCRAPE_INTERVAL_MS = 30 * SECOND;

/** The ends of the parts, in minutes. */
export const MOMENTS = {
  quiet: QUIET,
  blip: QUIET + BLIP,
  afterBlip: QUIET + BLIP + AFTER_BLIP,
  outage: QUIET + BLIP + AFTER_BLIP + OUTAGE,
  end: QUIET + BLIP + AFTER_BLIP + OUTAGE + AFTER_OUTAGE,
};

/** How all that the shop depends on stands. */
const world = { isTroubled: false, minute: 0, errors: 0, quotes: 0 };

const after = (ms: number) => new Promise<unknown>((resolve) => setTimeout(resolve, ms));
const down = () => Promise.reject(new Error('down'));
const never = () => new Promise<unknown>(() => undefined);
const unless = async (trouble: () => Promise<unknown>) => (world.isTroubled ? trouble() : 'fine');

/** In trouble each of its methods is in another kind of it. */
@Injectable()
class Shop {
  @Retry(1)
  async fine(): Promise<unknown> {
    return 'fine';
  }

  @Critical()
  @Upstream('payments-api')
  @CircuitBreaker('payments')
  async pay(): Promise<unknown> {
    return unless(down);
  }

  /** One bad minute in five. */
  @CircuitBreaker({ failureThreshold: 2, successThreshold: 1, timeoutMs: 30 * SECOND })
  async flap(): Promise<unknown> {
    return unless(() => (world.minute % 5 === 0 ? down() : Promise.resolve()));
  }

  @Fallback(() => down())
  async stock(): Promise<unknown> {
    return unless(down);
  }

  @Fallback(() => [])
  async recommend(): Promise<unknown> {
    return unless(down);
  }

  @Retry({ maxAttempts: 3, baseDelayMs: 10, budget: { ratio: 0, minRetriesPerSecond: 0.01 } })
  async search(): Promise<unknown> {
    return unless(down);
  }

  @Retry({ maxAttempts: 3, baseDelayMs: 10, budget: false })
  async browse(): Promise<unknown> {
    return unless(down);
  }

  @Timeout(500)
  async load(): Promise<unknown> {
    return unless(never);
  }

  @Timeout({ attemptMs: 800, totalMs: 1_000 })
  @Retry({ maxAttempts: 3, baseDelayMs: 10 })
  async loadAll(): Promise<unknown> {
    return unless(never);
  }

  @Bulkhead('reports')
  async report(): Promise<unknown> {
    return unless(() => after(25 * SECOND));
  }

  @Bulkhead('tried')
  async try(): Promise<unknown> {
    return unless(() => after(25 * SECOND));
  }

  @CircuitBreaker({ failureThreshold: 3, timeoutMs: MINUTE, mode: 'shadow' })
  async doubt(): Promise<unknown> {
    return unless(down);
  }

  @Timeout({ attemptMs: 500, mode: 'shadow' })
  async wait(): Promise<unknown> {
    return unless(() => after(2 * SECOND));
  }

  @Bulkhead('exports')
  async export(): Promise<unknown> {
    return unless(() => after(15 * SECOND));
  }

  @RateLimit('maps')
  async map(): Promise<unknown> {
    return 'a map';
  }

  @RateLimit('partner')
  async order(): Promise<unknown> {
    const headers = { 'retry-after': '60' };
    return unless(() => Promise.reject(Object.assign(new Error('429'), { status: 429, headers })));
  }

  @Hedge(50)
  async quote(): Promise<unknown> {
    return unless(() => after(++world.quotes % 2 === 0 ? 0 : 200));
  }

  @Coalesce({ key: () => 'all' })
  async catalogue(): Promise<unknown> {
    return after(100);
  }

  @Bulkhead({ adaptive: true })
  async adapt(): Promise<unknown> {
    return after(100);
  }

  @Retry(1)
  async chaotic(): Promise<unknown> {
    return 'fine';
  }

  /** Each of its errors is of a type of its own. */
  @Critical(false)
  async mystery(): Promise<unknown> {
    const name = `Mystery${++world.errors}Error`;
    return unless(() => Promise.reject(Object.assign(new Error('down'), { name })));
  }
}

/**
 * An application through quiet, a trouble of two minutes, one of three quarters of an hour, and what comes
 * after, by the virtual clock.
 *
 * @param endsAt when the story ends, by the wall clock
 * @returns what Prometheus would have of what the exporter answered meanwhile
 */
export async function tell(endsAt: number): Promise<Scrape[]> {
  const prometheus = new PrometheusMetrics({ maxLabelValues: 60 });
  const hub = new MemoryFleet();
  const changes = new Subject<ResilienceOverrides>();
  let member: FleetMember | undefined;
  const fleet = {
    link(of: FleetMember) {
      member = of;
      return hub.fleet().link(of);
    },
  };
  const app = await ResilienceApp.boot(
    {
      metrics: prometheus,
      fleet,
      chaos: {},
      changes,
      inbound: { shedding: { maxInFlight: 4 } },
      breakers: { payments: { failureThreshold: 3, timeoutMs: MINUTE } },
      bulkheads: {
        reports: { maxConcurrent: 1, queueLimit: 0 },
        tried: { maxConcurrent: 1, queueLimit: 0, mode: 'shadow' },
        exports: { maxConcurrent: 1, queueLimit: 1_000 },
      },
      rateLimits: {
        maps: { limit: 2, intervalMs: MINUTE },
        partner: { limit: 100, adaptToResponses: true },
      },
    },
    [Shop],
  );
  try {
    const beganAt = endsAt - MOMENTS.end * MINUTE;
    jest.setSystemTime(beganAt);
    const shop = app.module.get(Shop);
    const chaos = app.module.get(Chaos);
    const { shedding } = app.module.get<ResilienceRuntime>(READY, { strict: false });
    const scrapes: Scrape[] = [];
    for (let ms = 0; ms <= MOMENTS.end * MINUTE; ms += 10 * SECOND) {
      const minute = Math.floor(ms / MINUTE);
      const isTroubled =
        (minute >= MOMENTS.quiet && minute < MOMENTS.blip) ||
        (minute >= MOMENTS.afterBlip && minute < MOMENTS.outage);
      if (isTroubled !== world.isTroubled) {
        changes.next({ breakers: { payments: { timeoutMs: isTroubled ? 50_000 : MINUTE } } });
        if (isTroubled) chaos.add({ operations: 'Shop.chaotic', error: true });
        else chaos.stopAll();
        for (let request = 0; request < 4; request++)
          if (isTroubled) shedding.enter();
          else shedding.leave(0, 'unknown');
        for (const link of hub.links)
          if (isTroubled) link.cut();
          else void link.mend();
      }
      Object.assign(world, { isTroubled, minute });
      if (isTroubled && minute % 2 === 0)
        changes.next({ breakers: { payments: { timeoutMs: -1 } } });
      if (isTroubled) {
        member?.refused('a message');
        member?.unanswered();
        for (const criticality of ['normal', 'critical'] as const) shedding.refuse({ criticality });
      }
      const calls = Object.getOwnPropertyNames(Shop.prototype)
        .filter((name) => name !== 'constructor')
        .filter((name) => name !== 'map' || isTroubled || ms % MINUTE === 0)
        .flatMap((name) => (name === 'catalogue' ? [name, name] : name)) as 'fine'[];
      for (const name of calls) void shop[name]().catch(() => undefined);
      await jest.advanceTimersByTimeAsync(10 * SECOND);
      if (ms % SCRAPE_INTERVAL_MS !== 0) continue;
      const families = parsePrometheusText(await prometheus.registry.metrics());
      const samples = [...families.values()]
        .flatMap((family) => family.samples)
        .map((sample) => ({ ...sample, labels: { job: 'shop', instance: 'a', ...sample.labels } }));
      scrapes.push({ at: beganAt + ms, samples });
    }
    return scrapes;
  } finally {
    await app.close();
  }
}
