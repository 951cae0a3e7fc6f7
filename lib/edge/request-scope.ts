import type { ServerResponse } from 'node:http';
import { type Dependent, Scope } from '../context/scope.js';

/**
 * An HTTP request, as the calls made to answer it see it: it ends when the client goes away. It
 * listens for that only when somebody wants to know.
 */
export class RequestScope extends Scope {
  private listening = false;

  constructor(private readonly response: ServerResponse) {
    super(1, undefined, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  override get signal(): AbortSignal {
    this.listen();
    return super.signal;
  }

  override adopt(dependent: Dependent): void {
    this.listen();
    super.adopt(dependent);
  }

  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    const { response } = this;
    const onClose = () => {
      if (!response.writableFinished)
        this.abort(new DOMException('The client closed the connection', 'AbortError'));
    };
    if (response.closed) onClose();
    else response.once('close', onClose);
  }
}
