import { currentSignal } from 'nestjs-bulwark';

/**
 * An upstream's answer that is not a success. `status` tells the library whose fault it is (5xx is
 * retried, 4xx is not); it looks for `retry-after` in `response.headers`.
 */
export class UpstreamResponseError extends Error {
  override readonly name = 'UpstreamResponseError';

  constructor(
    readonly status: number,
    readonly response: { status: number; headers: Record<string, string> },
  ) {
    super(`Upstream answered ${status}`);
  }
}

/**
 * A JSON call that ends when its attempt does: `currentSignal()` is aborted by the attempt's timeout
 * or by a customer who went away, so that no socket is held for an answer that nobody awaits.
 */
export async function callUpstream<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, { ...init, signal: currentSignal() });
  if (response.ok) return (await response.json()) as T;
  await response.arrayBuffer(); // gives the connection back
  throw new UpstreamResponseError(response.status, {
    status: response.status,
    headers: Object.fromEntries(response.headers),
  });
}
