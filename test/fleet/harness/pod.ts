import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './eventually.js';
import {
  type CallRecord,
  LOADS,
  type Load,
  type Order,
  type PodSetup,
  type Told,
} from './messages.js';

type Transition = Extract<Told, { type: 'transition' }>;
type FleetChange = Extract<Told, { type: 'fleet' }>;

/** Without what `npm run` of this repository and the test runner set. */
const { NODE_OPTIONS: _, NODE_ENV: __, ...ENVIRONMENT } = process.env;

/** An application in a process of its own, and all that it has told. */
export class Pod {
  readonly calls: CallRecord[] = [];
  readonly transitions: Transition[] = [];
  readonly fleetChanges: FleetChange[] = [];
  readonly unhandled: string[] = [];
  /** How long it took to start, in ms. */
  bootMs: number | undefined;
  /** So often it did not believe what came from Redis. */
  refused = 0;
  private output = '';
  private readonly child: ChildProcess;

  constructor(
    program: string,
    readonly setup: PodSetup,
  ) {
    this.child = fork(program, [JSON.stringify(setup)], {
      execArgv: [],
      env: { ...ENVIRONMENT, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child.on('message', (told: Told) => this.hear(told));
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        if (/unhandled/i.test(text)) this.unhandled.push(text); // as clients write of their own errors
      });
  }

  get name(): string {
    return this.setup.name;
  }

  get isUp(): boolean {
    return this.fleetChanges.at(-1)?.up === true;
  }

  /** Of its breaker. */
  get state(): string {
    return this.transitions.at(-1)?.to ?? 'CLOSED';
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async ready(): Promise<void> {
    const isReady = () => {
      if (!this.isAlive || this.unhandled.length > 0) {
        const told = [...this.unhandled, this.output].join('\n');
        throw new Error(`The pod ${this.name} does not start:\n${told}`);
      }
      return this.bootMs !== undefined;
    };
    await eventually(`the pod ${this.name} is ready`, isReady);
  }

  load(perSecond: Partial<Record<Load, number>> = LOADS): void {
    this.order({ do: 'load', perSecond });
  }

  stall(ms: number): void {
    this.order({ do: 'stall', ms });
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const exit = once(this.child, 'exit');
    this.signal('SIGKILL');
    await exit;
  }

  private order(order: Order): void {
    if (this.child.connected) this.child.send(order);
  }

  private hear(told: Told): void {
    switch (told.type) {
      case 'ready':
        this.bootMs = told.bootMs;
        return;
      case 'calls':
        this.calls.push(...told.calls);
        this.refused = told.refused;
        return;
      case 'transition':
        this.transitions.push(told);
        return;
      case 'fleet':
        this.fleetChanges.push(told);
        return;
      case 'unhandled':
        this.unhandled.push(told.what);
    }
  }
}
