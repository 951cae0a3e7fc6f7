import { EventEmitter } from 'node:events';
import { HttpException, type Type } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { defer, firstValueFrom } from 'rxjs';
import type { ResilienceInterceptor } from '../../../lib/index.js';
import { FailedAnswer, type Inbound } from '../strategy.js';

/** As much of a server's response as an interceptor has to do with. */
class Response extends EventEmitter {
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  readonly headers: Record<string, string> = {};

  header(name: string, value: string): void {
    this.headers[name.toLowerCase()] = value;
  }

  setHeader(name: string, value: string): void {
    this.header(name, value);
  }

  /** The connection ends: before the answer when the client goes away, else after it. */
  close(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/**
 * Handles a request as an application of Nest does with the library's interceptor, without the sockets.
 *
 * @throws FailedAnswer what the client sees
 */
export async function exchange(
  interceptor: ResilienceInterceptor,
  controller: Type,
  { headers, signal }: Inbound,
  handler: () => Promise<unknown>,
): Promise<unknown> {
  const response = new Response();
  const context = new ExecutionContextHost(
    [{ method: 'GET', headers }, response],
    controller,
    handler,
  );
  const clientLeaves = () => response.close();
  signal.addEventListener('abort', clientLeaves, { once: true });
  try {
    const answers = interceptor.intercept(context, { handle: () => defer(handler) });
    return await firstValueFrom(answers);
  } catch (error) {
    const status = error instanceof HttpException ? error.getStatus() : 500;
    throw new FailedAnswer(status, response.headers);
  } finally {
    signal.removeEventListener('abort', clientLeaves);
    response.writableEnded = true;
    if (!response.destroyed) response.close();
  }
}
