import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type Sources, sourcesIn } from '../admin/sources.js';
import type { CircuitBreakerPolicy, ControlScope } from '../index.js';
import { DashboardState } from './dashboard-state.js';
import { Frames } from './frames.js';
import { LiveStream } from './live-stream.js';

/** What is there between start and shutdown. */
interface Running {
  sources: Sources;
  state: DashboardState;
  stream: LiveStream;
}

/** The dashboard's life within the application's. */
@Injectable()
export class DashboardService implements OnModuleInit, OnModuleDestroy {
  private running: Running | undefined = undefined;

  constructor(private readonly moduleRef: ModuleRef) {}

  /** @throws ResilienceConfigurationError where there is no ResilienceModule */
  onModuleInit(): void {
    const sources = sourcesIn(this.moduleRef);
    const state = new DashboardState(sources);
    this.running = { sources, state, stream: new LiveStream(new Frames(state)) };
  }

  onModuleDestroy(): void {
    this.running?.stream.close();
    this.running?.state.close();
  }

  /** `undefined` before the application has started. */
  get stream(): LiveStream | undefined {
    return this.running?.stream;
  }

  /** Whether it is one of many instances. */
  get hasFleet(): boolean {
    return this.running?.sources.resilience.fleet() !== undefined;
  }

  /** @returns whether there was any chaos to end here, or it is ended elsewhere */
  stopChaos(scope: ControlScope): boolean {
    const chaos = this.running?.sources.chaos;
    if (chaos === undefined || !(chaos.isOn || scope.fleet)) return false;
    chaos.stopAll(scope);
    return true;
  }

  /**
   * Does something to a breaker; by the name of all keys (`partner[*]`) to those of all, and to each that
   * comes later.
   *
   * @returns whether there is one
   */
  control(name: string, act: (breaker: CircuitBreakerPolicy) => void): boolean {
    const breakers = this.running?.sources.breakers;
    if (breakers === undefined) return false;
    const keyed = breakers.allOf(name);
    if (keyed !== undefined) keyed.forAll(act);
    else if (breakers.has(name)) act(breakers.get(name));
    else return false;
    return true;
  }
}
