import { type Channel, channel } from 'node:diagnostics_channel';
import { Observable, type Observer, type Operator, Subscriber, type Subscription } from 'rxjs';
import type { ChaosEvent } from '../chaos/chaos.telemetry.js';
import { timestamp } from '../common/timestamp.js';
import { Guard } from '../errors/guard.js';
import type { FleetEvent } from '../fleet/fleet.telemetry.js';
import type { OverridesEvent } from '../overrides/overrides.telemetry.js';
import type { ShedEvent } from '../shedding/shedding.telemetry.js';
import type { WouldRejectEvent } from '../stage/shadow.telemetry.js';
import type { AnyOf } from '../stage/stage-types.js';
import type { OurTypes } from '../stages.js';

/** What the library did about a failure. `timestamp` is an ISO 8601 time. */
export type ResilienceEvent = {
  /** When it happened, as an ISO 8601 text. */
  timestamp: string;
} & (
  | AnyOf<OurTypes, 'event'>
  | ChaosEvent
  | FleetEvent
  | ShedEvent
  | WouldRejectEvent
  | OverridesEvent
);

type WithoutTimestamp<E> = E extends unknown ? Omit<E, 'timestamp'> : never;
export type NewResilienceEvent = WithoutTimestamp<ResilienceEvent>;

const EVERYTHING = channel('nestjs-bulwark:event');
const channels = new Map<string, Channel>();

function channelOf(type: string): Channel {
  let known = channels.get(type);
  if (known === undefined) {
    known = channel(`nestjs-bulwark:${type}`);
    channels.set(type, known);
  }
  return known;
}

/**
 * Everything that the library does about failures, as it happens. Nothing is kept.
 *
 * Each event also goes to the channels `nestjs-bulwark:<type>` and `nestjs-bulwark:event` of
 * `node:diagnostics_channel`, for tools that are not part of the application: they hear of all
 * applications in the process. (What a subscriber there throws, Node makes an uncaught exception.)
 *
 * Events of an application's own stages come here as well, of whatever types these report.
 *
 * @example
 * events.events$.subscribe((event) => console.log(event.type, event.timestamp));
 */
export class ResilienceEvents {
  private readonly source = new Broadcast<ResilienceEvent>('A subscriber of ResilienceEvents');
  /** All events from now on. */
  readonly events$: Observable<ResilienceEvent> = this.source.values$;

  /** @internal */
  emit(event: NewResilienceEvent): void {
    const ofType = channelOf(event.type);
    if (!this.source.observed && !ofType.hasSubscribers && !EVERYTHING.hasSubscribers) return;
    const value = { ...event, timestamp: timestamp() } as ResilienceEvent;
    this.source.send(value);
    if (ofType.hasSubscribers) ofType.publish(value);
    if (EVERYTHING.hasSubscribers) EVERYTHING.publish(value);
  }
}

/**
 * A hot Observable whose subscribers cannot hurt the sender or the process: RxJS would rethrow their
 * errors as uncaught exceptions.
 */
export class Broadcast<T> {
  private readonly subscribers = new Set<Subscriber<T>>();
  private queue: T[] = [];
  readonly values$: Observable<T>;

  constructor(what: string) {
    this.values$ = new HarmlessObservable<T>(new Guard(what), (subscriber) => {
      this.subscribers.add(subscriber);
      return () => this.subscribers.delete(subscriber);
    });
  }

  get observed(): boolean {
    return this.subscribers.size > 0;
  }

  /** Everybody sees every value in the order of sending, also where a subscriber causes the next. */
  send(value: T): void {
    this.queue.push(value);
    if (this.queue.length > 1) return; // the one who is sending goes on with it
    for (let next = 0; next < this.queue.length; next++) {
      for (const subscriber of this.subscribers) subscriber.next(this.queue[next] as T);
    }
    this.queue = [];
  }
}

type Handlers<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/** Guards the handlers at the end of a chain of operators, and answers errors that none handles. */
class HarmlessObservable<T> extends Observable<T> {
  constructor(
    private readonly guard: Guard,
    subscribe?: (subscriber: Subscriber<T>) => () => void,
  ) {
    super(subscribe as ConstructorParameters<typeof Observable<T>>[0]);
  }

  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new HarmlessObservable<R>(this.guard);
    lifted.source = this as Observable<unknown> as Observable<R>;
    lifted.operator = operator as Operator<unknown, R> as Operator<R, R>;
    return lifted as unknown as Observable<R>;
  }

  override subscribe(
    handlers?: Handlers<T>,
    onError?: ((error: unknown) => void) | null,
    onComplete?: (() => void) | null,
  ): Subscription {
    if (handlers instanceof Subscriber) return super.subscribe(handlers); // the next operator of a chain
    const { guard } = this;
    const given: Partial<Observer<T>> =
      typeof handlers === 'function' || !handlers
        ? {
            next: handlers ?? (() => undefined),
            error: onError ?? undefined,
            complete: onComplete ?? undefined,
          }
        : handlers;
    return super.subscribe({
      next: (value) => guard.run(() => given.next?.(value)),
      error: (error) =>
        guard.run(() => {
          if (given.error === undefined) throw error;
          given.error(error);
        }),
      complete: () => guard.run(() => given.complete?.()),
    });
  }
}
