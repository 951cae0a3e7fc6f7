import type { Subscription } from 'rxjs';
import { OperationCollector } from './operation-collector.js';
import { RecentEvents } from './recent-events.js';
import { SLICE_MS } from './slice.js';
import type { Sources } from './sources.js';

/** What is asked, and what has to be collected as it happens. */
export class AdminState {
  readonly operations = new OperationCollector();
  readonly events: RecentEvents;
  private readonly removeCollector: () => void;
  private readonly turn: NodeJS.Timeout;
  private readonly subscription: Subscription;

  constructor(readonly sources: Sources) {
    this.events = new RecentEvents(sources.errors);
    this.removeCollector = sources.metrics.add(this.operations);
    this.turn = setInterval(() => this.operations.turn(), SLICE_MS).unref();
    this.subscription = sources.events.events$.subscribe((event) => this.events.add(event));
  }

  close(): void {
    this.removeCollector();
    clearInterval(this.turn);
    this.subscription.unsubscribe();
  }
}
