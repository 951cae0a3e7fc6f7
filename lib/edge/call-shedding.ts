import type { ExecutionContext } from '@nestjs/common';
import { finalize, type Observable, tap, throwError } from 'rxjs';
import type { AnyMethod, Class } from '../common/class.js';
import { isEventHandler } from '../nest/handlers.js';
import { isNeverShed } from '../shedding/never-shed.decorator.js';
import type { Shedding } from '../shedding/shedding.js';
import type { Inbound } from './inbound.js';
import { type CriticalityOf, criticalityBy } from './request-shedding.js';

/**
 * Sheds calls of gRPC, and messages that are answered, where their interceptors begin: the guards have been
 * asked by then. An event is never refused, as nobody would send it again.
 */
export class CallShedding {
  constructor(
    private readonly shedding: Shedding,
    private readonly criticalityOf: CriticalityOf,
  ) {}

  /** What answers a call, which is in flight until the first value of the answer, or its end. */
  around(
    context: ExecutionContext,
    inbound: Inbound | undefined,
    handle: () => Observable<unknown>,
  ): Observable<unknown> {
    const { shedding } = this;
    const type: Class = context.getClass();
    const handler = context.getHandler() as AnyMethod;
    if (!shedding.isOn || isEventHandler(handler)) return handle();
    if (shedding.isStrained && !isNeverShed(handler) && !isNeverShed(type)) {
      const critical = this.criticalityOf(type, handler) ?? inbound?.critical;
      const path = `${type.name}.${handler.name}`;
      const refused = shedding.refuse({ criticality: criticalityBy(critical), path });
      if (refused !== undefined) return throwError(() => refused);
    }
    let enteredAt: number | undefined = shedding.enter();
    const leave = (end: 'success' | 'unknown') => {
      if (enteredAt === undefined) return;
      const at = enteredAt;
      enteredAt = undefined;
      shedding.leave(at, end);
    };
    return handle().pipe(
      tap({ next: () => leave('success') }),
      finalize(() => leave('unknown')),
    );
  }
}
