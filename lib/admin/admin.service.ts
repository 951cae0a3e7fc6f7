import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { Subject } from 'rxjs';
import { AdminState } from './admin-state.js';
import { checkApart } from './mounted.js';
import { sourcesIn } from './sources.js';

/** The life of what is collected within the application's. */
@Injectable()
export class AdminService implements OnModuleInit, OnModuleDestroy {
  private running: AdminState | undefined = undefined;
  /** Something was changed. */
  readonly changed$ = new Subject<void>();

  constructor(
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {}

  /** @throws ResilienceConfigurationError where there is no ResilienceModule, and where two are at one path */
  onModuleInit(): void {
    checkApart(this.modules);
    this.start();
  }

  onModuleDestroy(): void {
    this.running?.close();
  }

  /** Begins to collect; again is no harm. */
  start(): AdminState {
    this.running ??= new AdminState(sourcesIn(this.moduleRef));
    return this.running;
  }

  /** `undefined` before the application has started. */
  get state(): AdminState | undefined {
    return this.running;
  }
}
