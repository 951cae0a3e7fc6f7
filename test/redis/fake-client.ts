import { EventEmitter } from 'node:events';

type Answer = (keysAndArgs: readonly string[]) => unknown;

/** A client as ioredis has them, whose server the test is. */
export class FakeClient extends EventEmitter {
  /** Also of those that were duplicated from it. */
  readonly made: FakeClient[];
  readonly options = {};
  status = 'wait';
  subscribed: string[] = [];
  /** What is answered; by itself, what Redis does to a heartbeat. */
  answer: Answer = () => [1_000_000, 1, 0];
  connecting: () => Promise<unknown> = () => Promise.resolve();
  readonly asked: { readonly by: 'evalsha' | 'eval'; readonly args: readonly string[] }[] = [];

  constructor(private readonly first?: FakeClient) {
    super();
    this.made = first?.made ?? [];
  }

  duplicate(options: object): FakeClient {
    const made = new FakeClient(this.first ?? this);
    Object.assign(made.options, options);
    this.made.push(made);
    return made;
  }

  async connect(): Promise<void> {
    await (this.first ?? this).connecting();
    this.status = 'ready';
  }

  disconnect(): void {
    this.status = 'end';
  }

  async subscribe(...channels: string[]): Promise<void> {
    this.subscribed = channels;
  }

  evalsha(sha: string, ...args: [number, ...string[]]): Promise<unknown> {
    return this.ask('evalsha', [sha, ...args.map(String)]);
  }

  eval(lua: string, ...args: [number, ...string[]]): Promise<unknown> {
    return this.ask('eval', [lua, ...args.map(String)]);
  }

  private async ask(by: 'evalsha' | 'eval', args: string[]): Promise<unknown> {
    const server = this.first ?? this;
    server.asked.push({ by, args });
    return server.answer(args);
  }

  /** What is published reaches all that have subscribed and are connected. */
  publish(channel: string, message: unknown): void {
    for (const each of this.made)
      if (each.subscribed.includes(channel) && each.status === 'ready')
        each.emit('message', channel, message);
  }

  /** The server ends all connections. */
  drop(error?: Error): void {
    for (const each of this.made.filter(({ status }) => status === 'ready')) {
      each.status = 'end';
      if (error !== undefined) each.emit('error', error);
      each.emit('end');
    }
  }
}
