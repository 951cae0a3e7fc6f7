import type { Send, Setting, Strategy } from '../strategy.js';
import { loadPeer } from './peers.js';

/** With the options of its README. It has no retries, and its timeout leaves the call alone. */
export const opossum: Strategy = {
  id: 'opossum',
  title: 'opossum',
  async open({ timeoutMs }: Setting) {
    const { default: CircuitBreaker } = await loadPeer<Opossum>('opossum');
    const breaker = new CircuitBreaker((send, gaveUp) => send({ gaveUp: gaveUp.signal }), {
      timeout: timeoutMs,
      errorThresholdPercentage: 50,
      resetTimeout: 30_000,
    });
    breaker.on('timeout', (_error, _latency, [, gaveUp]) => gaveUp.abort());
    return {
      call: (_request, send) => breaker.fire(send, new AbortController()),
      close: () => breaker.shutdown(),
    };
  },
};

type Action = (send: Send, gaveUp: AbortController) => Promise<unknown>;

/** What is used of it: its types are installed no more than itself where this is compiled. */
interface Opossum {
  default: new (
    action: Action,
    options: {
      timeout: number;
      errorThresholdPercentage: number;
      resetTimeout: number;
    },
  ) => {
    fire: Action;
    on(
      event: 'timeout',
      listener: (error: unknown, latency: number, args: Parameters<Action>) => void,
    ): void;
    shutdown(): void;
  };
}
