import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type BookedRequest,
  Books,
  type End,
  type Measures,
  measure,
  type Second,
} from './books.js';
import { VirtualClock } from './clock.js';
import { Leaf, SICK } from './leaf.js';
import { Quota } from './quota.js';
import { exponential, type Random, randomStream } from './random.js';
import { capacity, type Scenario } from './scenario.js';
import {
  ANSWER,
  type Answer,
  type Caller,
  FailedAnswer,
  type Inbound,
  type Outgoing,
  type Strategy,
} from './strategy.js';

/** One way over the network. */
const NETWORK_MS = 1;
/** How long the last requests have to end. */
const SETTLING_MS = 60_000;

export interface Result {
  readonly scenario: Scenario;
  readonly strategy: Strategy;
  readonly seconds: readonly Second[];
  readonly measures: Measures;
}

/** Lets a strategy live through a scenario, on a virtual clock. The same seed gives the same result. */
export async function simulate(
  scenario: Scenario,
  strategy: Strategy,
  seed: number,
): Promise<Result> {
  const clock = new VirtualClock();
  const random = Math.random;
  clock.install();
  Math.random = randomStream(seed, 'callers');
  try {
    const simulation = new Simulation(clock, scenario, strategy, seed);
    return await simulation.run();
  } finally {
    Math.random = random;
    clock.restore();
  }
}

/** A request of a user, from its arrival until the user has an answer or has gone. */
class Request implements BookedRequest {
  end: End | undefined = undefined;
  readonly connection = new AbortController();

  constructor(
    readonly arrivedMs: number,
    readonly critical: boolean,
    readonly tenant: number | undefined,
  ) {}

  get isWell(): boolean {
    return this.tenant !== undefined && this.tenant !== SICK;
  }
}

class Simulation {
  private readonly books: Books;
  private readonly leaf: Leaf;
  private readonly quota: Quota;
  private readonly tiers: Caller[][] = [];
  private readonly arrivals: Random;
  private readonly routing: Random;
  /** What a process does for one request is not inside what another did to make it. */
  private readonly outside = AsyncLocalStorage.snapshot();

  constructor(
    private readonly clock: VirtualClock,
    private readonly scenario: Scenario,
    private readonly strategy: Strategy,
    private readonly seed: number,
  ) {
    this.books = new Books(scenario.untilMs);
    this.leaf = new Leaf(clock, scenario, randomStream(seed, 'service'));
    this.quota = new Quota(scenario.quota);
    this.arrivals = randomStream(seed, 'arrivals');
    this.routing = randomStream(seed, 'routing');
  }

  async run(): Promise<Result> {
    const { clock, scenario, strategy, books, leaf, quota } = this;
    for (const tier of scenario.tiers) {
      const processes: Caller[] = [];
      for (let n = 0; n < tier.processes; n++)
        processes.push(
          await strategy.open({ ...tier, hasTenants: scenario.tenants !== undefined }),
        );
      this.tiers.push(processes);
    }
    Math.random = randomStream(this.seed, 'callers'); // whatever starting up has used of it
    this.scheduleArrival(0);
    await clock.run(scenario.untilMs + SETTLING_MS);
    for (const caller of this.tiers.flat()) await caller.close?.();
    const measures = measure(scenario, books.seconds, leaf, quota.calls);
    return { scenario, strategy, seconds: books.seconds, measures };
  }

  /** A Poisson process: thinned, so that its rate may change in between. */
  private scheduleArrival(afterMs: number): void {
    const { load, storm, untilMs } = this.scenario;
    const most = Math.max(load.calm, load.storm);
    const rate = (most * capacity(this.scenario)) / 1_000;
    const atMs = afterMs + exponential(this.arrivals, 1 / rate);
    if (atMs >= untilMs) return;
    const stormy = atMs >= storm.fromMs && atMs < storm.untilMs;
    const kept = this.arrivals() * most < (stormy ? load.storm : load.calm);
    const critical = this.arrivals() < this.scenario.criticalShare;
    const process = this.arrivals();
    const tenant = this.tenant();
    this.clock.schedule(atMs, () => {
      this.scheduleArrival(atMs);
      if (kept) void this.arrive(new Request(atMs, critical, tenant), process);
    });
  }

  private tenant(): number | undefined {
    const { tenants } = this.scenario;
    if (tenants === undefined) return undefined;
    if (this.arrivals() < tenants.sickShare) return SICK;
    return 1 + Math.floor(this.arrivals() * (tenants.count - 1));
  }

  private async arrive(request: Request, process: number): Promise<void> {
    const { arrivedMs, critical, tenant, connection } = request;
    const [edge] = this.scenario.tiers;
    this.books.offer(request);
    if (edge?.budgetMs !== undefined) {
      this.clock.schedule(arrivedMs + edge.budgetMs, () => {
        if (request.end === undefined) this.end(request, 'gone');
      });
    }
    const inbound: Inbound = {
      critical,
      headers: {},
      signal: connection.signal,
      ...(tenant !== undefined && { tenant }),
    };
    let end: End = 'failed';
    try {
      const wanted = () => request.end === undefined;
      if ((await this.handle(0, process, inbound, wanted)) === ANSWER) end = 'answered';
    } catch {}
    if (request.end === undefined) this.end(request, end);
  }

  private end(request: Request, end: End): void {
    request.end = end;
    this.books.end(request, this.clock.nowMs, end);
    if (end === 'gone') request.connection.abort(new Error('The user has gone'));
  }

  /** A process of a tier does its part, as long as it is wanted or longer. */
  private handle(
    tier: number,
    process: number,
    inbound: Inbound,
    isWanted: () => boolean,
  ): Promise<unknown> {
    const processes = this.tiers[tier] as Caller[];
    const caller = processes[Math.floor(process * processes.length)] as Caller;
    const { tenant } = inbound;
    const send = (outgoing: Outgoing) => this.send(tier + 1, outgoing, isWanted, tenant);
    return this.outside(() => caller.call(inbound, send));
  }

  /** A call over the network, to a process of the next tier or to the leaf. */
  private send(
    tier: number,
    outgoing: Outgoing,
    isCallerWanted: () => boolean,
    tenant: number | undefined,
  ): Promise<Answer> {
    const { signal, gaveUp, headers = {} } = outgoing;
    const isWanted = () => isCallerWanted() && !signal?.aborted && !gaveUp?.aborted;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const hangUp = () => reject(signal?.reason);
      signal?.addEventListener('abort', hangUp);
      const arrived = () => {
        if (tier === this.tiers.length) return this.work(isWanted, answer, tenant);
        const inbound: Inbound = {
          critical: undefined,
          headers,
          signal: signal ?? NEVER.signal,
          ...(tenant !== undefined && { tenant }),
        };
        return void this.handle(tier, this.routing(), inbound, isWanted).then(
          (value) => answer(value === ANSWER ? undefined : new FailedAnswer(503)),
          (error) => answer(error instanceof FailedAnswer ? error : new FailedAnswer(503)),
        );
      };
      const answer = (failure: FailedAnswer | undefined) => {
        this.clock.schedule(this.clock.nowMs + NETWORK_MS, () => {
          signal?.removeEventListener('abort', hangUp);
          if (failure === undefined) resolve(ANSWER);
          else reject(failure);
        });
      };
      this.clock.schedule(this.clock.nowMs + NETWORK_MS, arrived);
    });
  }

  private work(
    isWanted: () => boolean,
    answer: (failure: FailedAnswer | undefined) => void,
    tenant: number | undefined,
  ): void {
    this.books.leafCall(this.clock.nowMs);
    const refusalS = this.quota.refusalS(this.clock.nowMs);
    if (refusalS !== undefined) {
      answer(new FailedAnswer(429, { 'retry-after': String(refusalS) }));
      return;
    }
    this.leaf.submit({
      tenant,
      isWanted,
      end: (answered) => answer(answered ? undefined : new FailedAnswer(503)),
    });
  }
}

/** Of a caller that would not say when it leaves. */
const NEVER = new AbortController();
