import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { AdminService } from '../admin/admin.service.js';
import { DashboardState } from './dashboard-state.js';
import { Frames } from './frames.js';
import { LiveStream } from './live-stream.js';

/** What is there between start and shutdown. */
interface Running {
  hasFleet: boolean;
  state: DashboardState;
  stream: LiveStream;
  subscription: Subscription;
}

/** The dashboard's life within the application's. */
@Injectable()
export class DashboardService implements OnModuleInit, OnModuleDestroy {
  private running: Running | undefined = undefined;

  constructor(private readonly admin: AdminService) {}

  /** @throws ResilienceConfigurationError where there is no ResilienceModule */
  onModuleInit(): void {
    const { sources, operations } = this.admin.start();
    const state = new DashboardState(sources, operations);
    const stream = new LiveStream(new Frames(state));
    // Who pressed a button sees it at once.
    const subscription = this.admin.changed$.subscribe(() => stream.tick());
    const hasFleet = sources.resilience.fleet() !== undefined;
    this.running = { hasFleet, state, stream, subscription };
  }

  onModuleDestroy(): void {
    this.running?.subscription.unsubscribe();
    this.running?.stream.close();
    this.running?.state.close();
  }

  /** `undefined` before the application has started. */
  get stream(): LiveStream | undefined {
    return this.running?.stream;
  }

  /** Whether it is one of many instances. */
  get hasFleet(): boolean {
    return this.running?.hasFleet === true;
  }
}
