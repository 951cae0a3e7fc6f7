import { setTimeout as sleep } from 'node:timers/promises';
import type { Transpiled } from '../../support/transpiled.js';
import { eventually } from './eventually.js';
import type { Address, ClientName, PodSetup } from './messages.js';
import { Pod } from './pod.js';
import { sharedNow } from './shared-time.js';
import { Upstream } from './upstream.js';

const CLIENTS: readonly ClientName[] = ['ioredis', 'redis', 'ioredis5', 'redis5'];

let crowds = 0;

/** What a crowd is made of. */
export interface CrowdSetup {
  readonly program: Transpiled;
  /** Where the pod finds Redis, by its number. */
  address(pod: number): Address;
  /** What is different in a pod, by its number. */
  special?(pod: number): Partial<PodSetup>;
  /** Whether Redis is there when they start. @default true */
  readonly isReachable?: boolean;
}

/** Whether the others open where two pods do: all of them, none of them, or some, as it comes. */
export type Reach = 'all' | 'none' | 'some';

/** A time in which some pods have a reason to open their breaker. */
export interface Reason {
  readonly pods: ReadonlySet<Pod>;
  readonly from: number;
  to: number;
}

/** Four pods of one service, and what they depend on. */
export class Crowd {
  readonly namespace = `shop-${process.pid}-${++crowds}`;
  readonly pods: Pod[] = [];
  readonly reasons: Reason[] = [];

  private constructor(
    readonly setup: CrowdSetup,
    readonly upstream: Upstream,
  ) {}

  /** They have their load, and share where they reach Redis. */
  static async start(setup: CrowdSetup): Promise<Crowd> {
    const crowd = new Crowd(setup, await Upstream.start());
    try {
      for (const _ of CLIENTS) crowd.add();
      for (const pod of crowd.pods) {
        await pod.ready();
        pod.load();
      }
      if (setup.isReachable !== false) {
        await crowd.up();
        await crowd.outage('all'); // from now on Redis knows all scripts
      }
    } catch (error) {
      await crowd.stop();
      throw error;
    }
    return crowd;
  }

  /** One more, which is starting. */
  add(): Pod {
    const { setup, pods } = this;
    const pod = new Pod(setup.program.program, this.setupOf(pods.length));
    pods.push(pod);
    return pod;
  }

  setupOf(number: number): PodSetup {
    const { setup, upstream, namespace } = this;
    return {
      name: `pod-${number}`,
      upstreamPort: upstream.port,
      client: CLIENTS[number % CLIENTS.length] as ClientName,
      address: setup.address(number),
      namespace,
      ...setup.special?.(number),
    };
  }

  /** What all listen to. */
  get channel(): string {
    return `bulwark:1:{${this.namespace}}:0`;
  }

  get alive(): Pod[] {
    return this.pods.filter((pod) => pod.isAlive);
  }

  async up(): Promise<void> {
    await eventually('all pods reach their fleet', () => this.alive.every((pod) => pod.isUp));
  }

  async down(): Promise<void> {
    await eventually('no pod reaches its fleet', () => this.alive.every((pod) => !pod.isUp));
  }

  async closed(): Promise<void> {
    await eventually('all breakers are closed', () =>
      this.alive.every(({ state }) => state === 'CLOSED'),
    );
  }

  /** They share, and nothing is left of an outage. */
  async recovered(): Promise<void> {
    await this.up();
    await this.closed();
    await sleep(60); // the records of the last rejected calls are on their way
    const at = sharedNow();
    for (const reason of this.reasons) reason.to = Math.min(reason.to, at);
  }

  /**
   * The upstream is sick for two pods, which are a quorum, until both have opened. The others have no failure.
   *
   * @param reach how far that goes; `some` may open until they have `recovered`
   * @param whileOpen what happens then
   */
  async outage(reach: Reach, whileOpen?: () => unknown): Promise<void> {
    const { alive, upstream } = this;
    const sick = alive.slice(0, 2);
    const reason: Reason = {
      pods: new Set(reach === 'none' ? sick : alive),
      from: sharedNow(),
      to: Number.POSITIVE_INFINITY,
    };
    this.reasons.push(reason);
    const opened = this.opened(reach === 'all' ? alive : sick);
    try {
      for (const pod of sick) upstream.sick.add(pod.name);
      await opened;
      await whileOpen?.();
    } finally {
      upstream.sick.clear();
    }
    await this.closed();
    await sleep(60); // the records of the last rejected calls are on their way
    if (reach !== 'some') reason.to = sharedNow();
  }

  private opened(pods: readonly Pod[]): Promise<void> {
    const since = pods.map(({ transitions }) => transitions.length);
    const hasOpened = (pod: Pod, at: number) =>
      pod.transitions.slice(since[at]).some(({ to }) => to === 'OPEN');
    const names = pods.map(({ name }) => name).join(', ');
    return eventually(`the breakers of ${names} have opened`, () => pods.every(hasOpened));
  }

  async stop(): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.kill()));
    await this.upstream.stop();
  }
}
