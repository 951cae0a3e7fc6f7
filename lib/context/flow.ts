import { AsyncResource } from 'node:async_hooks';
import { isNodeStream, type OpenStream } from '../common/open-stream.js';
import type { Caller, Dependent } from './dependent.js';

/** Lets go of flows whose streams nobody has any more: a web stream tells its end to its reader only. */
const collected = new FinalizationRegistry<WeakRef<Flow>>((flow) => flow.deref()?.leave());

/** A stream that is read after the attempt which made it has ended well. Its signal ends with the caller. */
export class Flow implements Dependent {
  previous: Dependent | undefined = undefined;
  next: Dependent | undefined = undefined;
  /** Where the listeners of its signal are told, by whatever it ends. */
  private readonly context = new AsyncResource('ResilientFlow');

  constructor(
    stream: OpenStream,
    private readonly controller: AbortController,
    private caller: Caller,
  ) {
    caller.adopt(this);
    if (isNodeStream(stream)) stream.once('close', () => this.leave());
    else collected.register(stream, new WeakRef(this));
  }

  cancel(reason: unknown): void {
    this.context.runInAsyncScope(this.controller.abort, this.controller, reason);
  }

  /** The caller may hand the stream on to its own. */
  moveOn(caller: Caller | undefined): void {
    if (caller === undefined) return;
    this.caller = caller;
    caller.adopt(this);
  }

  leave(): void {
    this.caller.release(this);
  }
}
