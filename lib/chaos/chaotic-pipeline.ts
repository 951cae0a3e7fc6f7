import type { Observable } from 'rxjs';
import { Pipeline } from '../pipeline/pipeline.js';
import type { Plan } from '../pipeline/plan.js';
import type { Work } from '../pipeline/work.js';
import { ChaoticWork } from './chaotic-work.js';
import { FAULTY_GENERATOR, FAULTY_PROMISE, FAULTY_STREAM, type Faulty } from './faulty.js';
import type { OperationChaos } from './operation-chaos.js';

/** The pipeline of an operation that chaos may come to. Applications without the option have none of these. */
export class ChaoticPipeline extends Pipeline {
  constructor(
    plan: Plan,
    private readonly chaos: OperationChaos,
  ) {
    super(plan);
  }

  override call<T>(work: Work, self: unknown, args: unknown[], signal?: AbortSignal): Promise<T> {
    const called = this.chaos.isQuiet ? work : this.disturbed(work, FAULTY_PROMISE);
    return super.call(called, self, args, signal);
  }

  /** What it finds at its subscription may be another thing than now. */
  override stream<T>(
    work: Work,
    self: unknown,
    args: unknown[],
    signal?: AbortSignal,
  ): Observable<T> {
    return super.stream(this.disturbed(work, FAULTY_STREAM), self, args, signal);
  }

  /** The same at its first `next()`. */
  override generate<T>(
    work: Work,
    self: unknown,
    args: unknown[],
  ): AsyncGenerator<T, unknown, unknown> {
    return super.generate(this.disturbed(work, FAULTY_GENERATOR), self, args);
  }

  private disturbed(work: Work, faulty: Faulty): Work {
    return new ChaoticWork(work, this.chaos, this.plan.shutdown, faulty);
  }
}
