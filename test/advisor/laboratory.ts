import type { ServiceOptions } from '../../lib/index.js';
import { ResilienceAdvisor } from '../../lib/index.js';
import { VirtualClock } from '../simulation/clock.js';
import { exponential, type Random, randomStream } from '../simulation/random.js';
import { ResilienceApp } from '../support/resilience-app.js';

/** What an attempt comes to: an answer or an error after so many ms; after `Infinity` it hangs. */
export interface Outcome {
  readonly ms: number;
  readonly failed?: boolean;
}

/** A dependency, and who calls it. */
export interface World {
  /** Calls per second, as a Poisson process; it may depend on the second. */
  readonly rate: number | ((second: number) => number);
  readonly seconds: number;
  draw(random: Random, atMs: number): Outcome;
}

/** An application on a virtual clock, whose calls an advisor observes. */
export class Laboratory {
  readonly clock = new VirtualClock();
  private readonly random = Math.random;

  private constructor(readonly app: ResilienceApp) {}

  static async open(seed = 1): Promise<Laboratory> {
    const app = await ResilienceApp.boot({ advisor: true });
    const { useRealTimers } = await import('@jest/globals').then(({ jest }) => jest);
    useRealTimers();
    const laboratory = new Laboratory(app);
    laboratory.clock.install();
    Math.random = randomStream(seed, 'library');
    return laboratory;
  }

  async close(): Promise<void> {
    Math.random = this.random;
    this.clock.restore();
    await this.app.close();
  }

  get advisor(): ResilienceAdvisor {
    return this.app.module.get(ResilienceAdvisor);
  }

  /** Lets an operation of these options live through a world. */
  async run(options: ServiceOptions & { name: string }, world: World, seed = 1): Promise<void> {
    const { clock } = this;
    const pipeline = this.app.pipeline(options);
    const random = randomStream(seed, options.name);
    const work = () => {
      const { ms, failed } = world.draw(random, clock.nowMs);
      return new Promise<void>((resolve, reject) => {
        if (ms === Number.POSITIVE_INFINITY) return;
        clock.schedule(clock.nowMs + ms, () => (failed ? reject(new Error('down')) : resolve()));
      });
    };
    for (const atMs of arrivals(world, randomStream(seed, 'arrivals')))
      clock.schedule(clock.nowMs + atMs, () => void pipeline.execute(work).catch(() => undefined));
    await clock.run(clock.nowMs + world.seconds * 1_000 + 60_000);
  }

  /** What is advised of an option of an operation. */
  advice(operation: string, option: string) {
    const { operations } = this.advisor.report();
    const found = operations.find((each) => each.operation === operation);
    return found?.advice.find((each) => each.option === option);
  }
}

/** When calls are made, in ms from the beginning. */
export function arrivals({ rate, seconds }: World, random: Random): number[] {
  const times: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const inSecond = typeof rate === 'number' ? rate : rate(second);
    for (let at = exponential(random, 1_000 / inSecond); at < 1_000; ) {
      times.push(second * 1_000 + at);
      at += exponential(random, 1_000 / inSecond);
    }
  }
  return times;
}

export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export const lognormal = (medianMs: number, sigma: number) => (random: Random) =>
  medianMs * Math.exp(sigma * normal(random));

export const pareto = (leastMs: number, alpha: number) => (random: Random) =>
  leastMs * (1 - random()) ** (-1 / alpha);
