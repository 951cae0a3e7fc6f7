import type { FleetLink, FleetMember } from '../index.js';
import type { Connector } from './client/connection.js';
import { Keys } from './keys.js';
import { readMessage } from './messages.js';
import { goneAfterMs, HEARTBEAT, LEAVE } from './presence.js';
import { RedisRegister } from './redis-register.js';
import { RedisSlots } from './redis-slots.js';
import { RedisSnapshots } from './redis-snapshots.js';
import { RedisTokens } from './redis-tokens.js';
import { RedisVerdicts } from './redis-verdicts.js';
import { Session } from './session.js';
import type { Script, Store } from './store.js';

/** Between a loss and the next try, in ms: as much again at random, so that the instances do not come at once. */
const RETRY_MS = 500;

export interface LinkOptions {
  readonly namespace: string;
  readonly commandTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** The way of one application to its fleet. */
export class RedisLink implements FleetLink, Store {
  private readonly listeners = new Map<string, (values: readonly unknown[]) => void>();
  // Here the shared things are plugged in, which listen from the first.
  readonly verdicts = new RedisVerdicts(this);
  readonly tokens = new RedisTokens(this);
  readonly slots = new RedisSlots(this);
  readonly register = new RedisRegister(this);
  readonly snapshots = new RedisSnapshots(this);

  isUp = false;
  instances = 1;
  readonly instance: string;
  readonly channel: string;
  private readonly keys: Keys;
  private readonly ownChannel: string;
  private readonly presence: readonly string[];
  private session: Session | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** Whether the last heartbeat has come back by the channel. */
  private hasHeard = true;

  constructor(
    private readonly member: FleetMember,
    private readonly connector: Connector,
    private readonly options: LinkOptions,
  ) {
    this.instance = member.instance;
    this.keys = new Keys(options.namespace);
    this.channel = this.keys.channel;
    this.ownChannel = `${this.channel}:${this.instance}`;
    this.presence = ['seen', 'about'].map((part) => this.key('fleet', '', part));
  }

  open(): void {
    if (this.isClosed || this.session !== undefined) return;
    const session = new Session(this.connector, this.options.commandTimeoutMs, {
      lost: (reason) => this.lost(reason),
      unanswered: () => this.member.unanswered(),
    });
    this.session = session;
    this.connect(session).catch((error: unknown) => session.end(error));
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.run(LEAVE, this.presence, [this.instance]);
    this.session?.end();
    this.session = undefined;
    this.isUp = false;
  }

  key(kind: string, name: string, part: string): string {
    return this.keys.of(kind, name, part);
  }

  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<readonly number[] | undefined> {
    const answer = await this.read(script, keys, args);
    if (answer === undefined) return undefined;
    if (Array.isArray(answer) && answer.every((each) => Number.isSafeInteger(each)))
      return answer[0] < 0 ? undefined : answer;
    this.refused(`an answer to ${script.name}`);
    return undefined;
  }

  async read(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.session?.run(script, keys, args.map(String));
  }

  listen(kind: string, told: (values: readonly unknown[]) => void): void {
    this.listeners.set(kind, told);
  }

  refused(what: string): void {
    this.member.refused(what);
  }

  private async connect(session: Session): Promise<void> {
    await session.begin([this.channel, this.ownChannel], (channel, message) =>
      channel === this.channel ? this.told(message) : this.heard(),
    );
    this.hasHeard = true;
    if (!(await this.beat(session))) throw new Error('it does not answer, or takes no writes');
    await this.member.sync();
    if (session !== this.session) return;
    this.isUp = true;
    this.member.changed(true);
    this.beatLater(session);
  }

  private lost(reason: Error): void {
    const wasUp = this.isUp;
    this.isUp = false;
    this.session = undefined;
    clearTimeout(this.timer);
    if (this.isClosed) return;
    this.timer = setTimeout(() => this.open(), RETRY_MS * (1 + Math.random())).unref();
    if (wasUp) this.member.changed(false, reason);
  }

  private beatLater(session: Session): void {
    this.timer = setTimeout(() => void this.keepBeating(session), this.options.heartbeatMs).unref();
  }

  private async keepBeating(session: Session): Promise<void> {
    if (!this.hasHeard) session.end(new Error('the channel is not heard any more'));
    // The second time in a row that it is not answered, the session ends by itself.
    while (session === this.session && !(await this.beat(session)));
    if (session === this.session) this.beatLater(session);
  }

  private async beat(session: Session): Promise<boolean> {
    this.hasHeard = false;
    const answer = await session.synchronize(HEARTBEAT, this.presence, [
      this.instance,
      String(goneAfterMs(this.options.heartbeatMs)),
      JSON.stringify({ pid: process.pid }),
      this.ownChannel,
    ]);
    if (!Array.isArray(answer)) return false;
    const instances: unknown = answer[1];
    if (typeof instances === 'number' && instances >= 1) this.instances = instances;
    return true;
  }

  private heard(): void {
    this.hasHeard = true;
  }

  private told(text: unknown): void {
    const message = readMessage(text);
    if (typeof message === 'string') this.refused(message);
    else if (message !== undefined) this.listeners.get(message.kind)?.(message.values);
  }
}
