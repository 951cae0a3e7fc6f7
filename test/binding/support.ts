import type {
  DynamicModule,
  INestApplication,
  LoggerService,
  ModuleMetadata,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ResilienceModule, type ResilienceModuleOptions, Retry } from '../../lib/index.js';

/** Keeps what is logged, and prints nothing. */
export class RecordingLogger implements LoggerService {
  readonly records: { level: string; message: unknown; context: unknown }[] = [];

  debug = (message: unknown, context?: unknown) => this.add('debug', message, context);
  log = (message: unknown, context?: unknown) => this.add('log', message, context);
  warn = (message: unknown, context?: unknown) => this.add('warn', message, context);
  error = (message: unknown, ...rest: unknown[]) => this.add('error', message, rest.at(-1));

  /** The messages of a level, of one context or of all. */
  messages(level: string, context?: string): unknown[] {
    return this.records
      .filter((record) => record.level === level && (context ?? record.context) === record.context)
      .map(({ message }) => message);
  }

  warnings(): string {
    return this.messages('warn').join('\n');
  }

  private add(level: string, message: unknown, context: unknown): void {
    this.records.push({ level, message, context });
  }
}

const running: { close(): Promise<void> }[] = [];

/** To be closed by `closeAll()`. */
export function track<T extends { close(): Promise<void> }>(application: T): T {
  running.push(application);
  return application;
}

export async function closeAll(): Promise<void> {
  for (const application of running.splice(0).reverse()) await application.close();
}

export interface Booted {
  app: INestApplication;
  logger: RecordingLogger;
}

/** Boots a real application with exactly these imports, providers and controllers. */
export async function bootBare(metadata: ModuleMetadata): Promise<Booted> {
  const logger = new RecordingLogger();
  const module = await Test.createTestingModule(metadata).setLogger(logger).compile();
  const app = track(module.createNestApplication({ logger }));
  await app.init();
  return { app, logger };
}

/** The module; a test may well leave calls behind, for which no close waits. */
export function resilienceModule(options: ResilienceModuleOptions = {}): DynamicModule {
  return ResilienceModule.forRoot({ shutdown: { graceMs: 0 }, ...options });
}

/** Boots a real application with the module. */
export function boot(
  metadata: ModuleMetadata,
  options: ResilienceModuleOptions = {},
): Promise<Booted> {
  return bootBare({
    ...metadata,
    imports: [resilienceModule(options), ...(metadata.imports ?? [])],
  });
}

/** Two attempts, at once one after the other. */
export const TWICE = { maxAttempts: 2, baseDelayMs: 0 };

/**
 * A class whose decorated method always fails. Under one pipeline a call runs it twice; undecorated
 * once; under two pipelines, one within the other, four times.
 */
export class Failing {
  calls = 0;
  readonly seen: unknown[][] = [];

  @Retry(TWICE)
  async run(...args: unknown[]): Promise<never> {
    this.calls++;
    this.seen.push(args);
    throw new Error('down');
  }
}

/** Calls `run()` and tells how often the method ran for it. */
export async function runsOf(target: Failing, ...args: unknown[]): Promise<number> {
  const before = target.calls;
  await target.run(...args).catch((error: Error) => {
    if (error.message !== 'down') throw error;
  });
  return target.calls - before;
}
