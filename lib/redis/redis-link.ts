import type { FleetLink, FleetMember } from '../index.js';
import type { Connector } from './client/connection.js';
import { Heartbeat } from './heartbeat.js';
import { LEAVE } from './presence-scripts.js';
import { RedisRegister } from './redis-register.js';
import { RedisSlots } from './redis-slots.js';
import { RedisSnapshots } from './redis-snapshots.js';
import { RedisStore } from './redis-store.js';
import { RedisTokens } from './redis-tokens.js';
import { RedisVerdicts } from './redis-verdicts.js';
import { Session } from './session.js';

/** Between a loss and the next try, in ms: as much again at random, so that instances do not come at once. */
const RETRY_MS = 500;

export interface LinkOptions {
  readonly namespace: string;
  readonly commandTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly connectTimeoutMs: number;
}

/** The way of one application to its fleet. */
export class RedisLink implements FleetLink {
  readonly verdicts: RedisVerdicts;
  readonly tokens: RedisTokens;
  readonly slots: RedisSlots;
  readonly register: RedisRegister;
  readonly snapshots: RedisSnapshots;
  isUp = false;
  instances = 1;
  private readonly store: RedisStore;
  private session: Session | undefined;
  private retry: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** Whether it was said that it is down, since it was up last. */
  private isDownKnown = false;

  constructor(
    private readonly member: FleetMember,
    private readonly connector: Connector,
    private readonly options: LinkOptions,
  ) {
    const { namespace, commandTimeoutMs } = options;
    const store = new RedisStore(member, namespace, connector.database, commandTimeoutMs);
    this.store = store;
    this.verdicts = new RedisVerdicts(store);
    this.tokens = new RedisTokens(store);
    this.slots = new RedisSlots(store);
    this.register = new RedisRegister(store);
    this.snapshots = new RedisSnapshots(store);
  }

  open(): void {
    if (this.isClosed || this.session !== undefined) return;
    const session = new Session(this.options.commandTimeoutMs, (reason) => this.lost(reason));
    this.session = session;
    void this.connect(session);
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isUp = false;
    clearTimeout(this.retry);
    await this.store.run(LEAVE, [this.store.presence], [this.store.instance]);
    this.session?.close();
    this.session = undefined;
    this.store.session = undefined;
  }

  private async connect(session: Session): Promise<void> {
    const { store, member, options } = this;
    const heartbeat = this.heartbeatOf(session);
    const isConnected = await session.begin(
      this.connector,
      options.connectTimeoutMs,
      [store.channel, store.ownChannel],
      (channel, message) => (channel === store.channel ? store.told(message) : heartbeat.heard()),
    );
    if (!isConnected || !(await heartbeat.beat())) return;
    store.session = { questions: session, doubt: () => heartbeat.doubt() };
    await member.sync();
    if (session.isOver || this.isClosed) return;
    this.isUp = true;
    this.isDownKnown = false;
    member.changed(true);
  }

  private heartbeatOf(session: Session): Heartbeat {
    const { store, member } = this;
    return new Heartbeat(session, {
      instance: store.instance,
      intervalMs: this.options.heartbeatMs,
      key: store.presence,
      ownChannel: store.ownChannel,
      clock: store.clock,
      counted: (instances) => {
        this.instances = instances;
      },
      forgotten: () => void member.sync(),
      refused: (what) => store.refused(what),
    });
  }

  private lost(reason: Error): void {
    this.isUp = false;
    this.session = undefined;
    this.store.session = undefined;
    if (this.isClosed) return;
    this.retry = setTimeout(() => this.open(), RETRY_MS * (1 + Math.random())).unref();
    if (this.isDownKnown) return;
    this.isDownKnown = true;
    this.member.changed(false, reason);
  }
}
