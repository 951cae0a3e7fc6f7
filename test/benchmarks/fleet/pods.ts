import { setTimeout as pause } from 'node:timers/promises';
import type { CircuitBreakerOptions } from 'nestjs-bulwark';
import { Remote } from '../lab/remote.js';
import type { PodReport } from './pod.js';

const POD = new URL('pod.js', import.meta.url).href;
const DEPENDENCY = new URL('dependency.js', import.meta.url).href;
/** Starting many at once would take the machine's time from those that run. */
const STARTED_AT_ONCE = 4;

type Pod = Remote<typeof import('./pod.js')>;

/** What pods are made with. */
export interface Settings {
  readonly redis: number | undefined;
  readonly breaker: CircuitBreakerOptions;
}

let namespaces = 0;

/** Some instances of a service, and what they call: each in a process of its own. */
export class Pods {
  private readonly pods: Pod[] = [];
  private readonly namespace = `bench-${process.pid}-${++namespaces}`;

  private constructor(
    readonly dependency: Remote<typeof import('./dependency.js')>,
    private readonly port: number,
    private readonly settings: Settings,
  ) {}

  static async start(count: number, settings: Settings): Promise<Pods> {
    const dependency = await Remote.start<typeof import('./dependency.js')>(
      DEPENDENCY,
      process.execPath,
      [],
    );
    const pods = new Pods(dependency, await dependency.call('listen'), settings);
    for (let left = count; left > 0; left -= STARTED_AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(left, STARTED_AT_ONCE) }, () => pods.add()));
    return pods;
  }

  /** @returns the number of the new one */
  async add(): Promise<number> {
    const pod: Pod = await Remote.start<typeof import('./pod.js')>(POD, process.execPath, []);
    const number = this.pods.push(pod) - 1;
    const { port, settings, namespace } = this;
    await pod.call('start', { number, port, namespace, ...settings });
    return number;
  }

  /** All of them make calls from now on. */
  async call(perSecond: number): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.call('call', perSecond)));
  }

  async callFrom(number: number, perSecond: number): Promise<void> {
    await this.pods[number]?.call('call', perSecond);
  }

  /** What each saw since they were asked last. */
  async takeReports(): Promise<PodReport[]> {
    return Promise.all(this.pods.map((pod) => pod.call('takeReport')));
  }

  async stop(): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.call('stop')));
    await Promise.all([...this.pods, this.dependency].map((each) => each.stop()));
  }
}

export { pause };
