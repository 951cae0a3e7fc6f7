import type { LoggerService } from '@nestjs/common';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { BootLog } from './module.options.js';
import type { Operation } from './operation.js';
import { summarize } from './operation-description.js';
import type { ResilienceRuntime } from './runtime.js';

/** So many of a lazily loaded module's operations are named in its one line. */
const NAMED = 10;

/** Tells at boot, and after each lazily loaded module, what there is and what the user should know. */
export class BootReport {
  private readonly told = new WeakSet<Operation>();
  private readonly doubts = new Set<string>();
  private isFirst = true;

  constructor(private readonly logger: Required<Pick<LoggerService, 'debug'>> & LoggerService) {}

  tell(runtime: ResilienceRuntime): void {
    const { catalog, chaos, classes, options } = runtime;
    const { bootLog = 'summary' } = options;
    const all = runtime.operations();
    const added = all.filter((operation) => !this.told.has(operation));
    for (const operation of added) this.told.add(operation);
    if (bootLog !== 'none') this.tellOperations(added, all.length, bootLog, catalog.stages);
    for (const { level, text } of classes.coverageReports.splice(0)) {
      if (level === 'warn' || bootLog !== 'none') this.logger[level](text);
    }
    const planned = all.map(({ upstream, pipeline: { plan } }) => ({ ...plan, upstream }));
    const doubts = [...catalog.doubts(planned), ...chaos.doubts(planned)].filter(
      (doubt) => !this.doubts.has(doubt),
    );
    for (const doubt of doubts) this.doubts.add(doubt);
    for (const warning of [...classes.warnings.splice(0), ...doubts]) this.logger.warn(warning);
    const injected = this.isFirst ? chaos.inWords() : undefined;
    if (injected !== undefined) this.logger.warn(injected);
    this.isFirst = false;
  }

  private tellOperations(
    added: readonly Operation[],
    total: number,
    bootLog: BootLog,
    stages: readonly StageDefinition[],
  ): void {
    if (added.length === 0) return;
    this.logger.log(this.isFirst ? summaryOf(added, stages) : additionOf(added, total));
    const level = bootLog === 'operations' ? 'log' : 'debug';
    for (const operation of added) this.logger[level](summarize(operation, stages));
  }
}

/** `35 operations: 20 with retry, 12 with circuit breaker` */
function summaryOf(
  operations: readonly Operation[],
  definitions: readonly StageDefinition[],
): string {
  const counts = new Map<string, number>();
  for (const { name, title, count = () => `with ${title}` } of definitions)
    for (const { pipeline } of operations) {
      const policy = pipeline.plan.stages[name];
      const what = policy === undefined ? undefined : count(policy);
      if (what !== undefined) counts.set(what, (counts.get(what) ?? 0) + 1);
    }
  const parts = [...counts].map(([what, count]) => `${count} ${what}`);
  return [numberOf(operations), ...(parts.length === 0 ? [] : [parts.join(', ')])].join(': ');
}

/** `2 operations more, 37 in all: Stock.find, Stock.save` */
function additionOf(added: readonly Operation[], total: number): string {
  const names = added.map(({ pipeline }) => pipeline.plan.operation);
  const more = names.length > NAMED ? ', …' : '';
  return `${numberOf(added)} more, ${total} in all: ${names.slice(0, NAMED).join(', ')}${more}`;
}

function numberOf({ length }: readonly Operation[]): string {
  return length === 1 ? '1 operation' : `${length} operations`;
}
