import { jest } from '@jest/globals';
import {
  CircuitBreakerOpenError,
  type Pipeline,
  ResilienceAdvisor,
  ResilienceService,
  type ServiceOptions,
} from '../../lib/index.js';
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
  /** @param atMs since the beginning */
  draw(random: Random, atMs: number, attempt: number): Outcome;
}

/** How calls ended. */
export interface Tally {
  calls: number;
  answered: number;
  /** Rejected by the breaker: those that would have failed, and those that would have been well. */
  saved: number;
  lost: number;
}

/** An application on a virtual clock, whose calls an advisor observes. */
export class Laboratory {
  readonly clock = new VirtualClock();
  private readonly random = Math.random;
  /** Operations are there for as long as somebody holds them. */
  private readonly pipelines: Pipeline[] = [];

  private constructor(readonly app: ResilienceApp) {}

  static async open(seed = 1): Promise<Laboratory> {
    const app = await ResilienceApp.boot({ advisor: true });
    jest.useRealTimers();
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

  /**
   * Lets an operation of these options live through a world. How each call would go at its first attempt is
   * settled by its arrival, whatever protects it.
   */
  async run(options: ServiceOptions & { name: string }, world: World, seed = 1): Promise<Tally> {
    const { clock } = this;
    const pipeline = this.app.pipeline(options);
    this.pipelines.push(pipeline);
    const random = randomStream(seed, 'outcomes');
    const beganAt = clock.nowMs;
    const tally: Tally = { calls: 0, answered: 0, saved: 0, lost: 0 };
    const call = async (first: Outcome) => {
      tally.calls++;
      const work = ({ attempt }: { attempt: number }) => {
        const { ms, failed } =
          attempt === 1 ? first : world.draw(random, clock.nowMs - beganAt, attempt);
        return new Promise<void>((resolve, reject) => {
          if (ms === Number.POSITIVE_INFINITY) return;
          clock.schedule(clock.nowMs + ms, () => (failed ? reject(new Error('down')) : resolve()));
        });
      };
      try {
        await pipeline.execute(work);
        tally.answered++;
      } catch (error) {
        if (!(error instanceof CircuitBreakerOpenError)) return;
        if (first.failed) tally.saved++;
        else tally.lost++;
      }
    };
    for (const atMs of arrivals(world, randomStream(seed, 'arrivals'))) {
      const first = world.draw(random, atMs, 1);
      clock.schedule(beganAt + atMs, () => void call(first));
    }
    await clock.run(beganAt + world.seconds * 1_000 + 30_000);
    return tally;
  }

  get resilience(): ResilienceService {
    return this.app.module.get(ResilienceService);
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
