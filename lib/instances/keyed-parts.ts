import type { Orders } from '../fleet/orders.js';
import type { ResolvedKeyedOptions } from '../stage/keyed.options.js';
import type { KeyedHost, KeyedReports } from './keyed-reports.js';

/** How the whole fleet is told of the instances of a name. */
export interface KeyedOrders<P> {
  readonly orders: Orders;
  /** Makes one that stands for all, while there is none of which something could be said. */
  standIn(): P;
  /** One was made, and what was said of all has been said of it. */
  made(policy: P): void;
}

/** How the instances of a name are made and ended. */
export interface KeyedParts<P> {
  /** Of all of them. */
  readonly name: string;
  /** For messages: `circuit breaker "partner"`. */
  readonly place: string;
  /** The options without the defaults, for who builds on them. */
  readonly given: object;
  readonly keyed: ResolvedKeyedOptions;
  /** The options in force of each. */
  readonly options: object;
  readonly reports: KeyedReports;
  make(name: string, host: KeyedHost): P;
  /** What users get of one. */
  reveal(policy: P): unknown;
  dispose(policy: P): void;
  /** The application begins to close. */
  shutdown(policy: P): void;
  /** Where the whole fleet can be told something of them. */
  readonly fleet?: KeyedOrders<P> | undefined;
  /** There are more keys than places, and all have to stay. */
  crowded(): void;
}

/** What of that can be other at run time. */
export type ChangedParts<P> = Pick<KeyedParts<P>, 'given' | 'keyed' | 'options' | 'make' | 'fleet'>;
