import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the pods call, in a process of its own. It fails while it is told to, for all or for one of them. */
let failsFor: 'nobody' | 'all' | number = 'nobody';
/** A call that has reached it. */
export interface ReceivedCall {
  /** On the clock that all processes of the machine share, in ms. */
  readonly at: number;
  readonly pod: number;
}

let calls: ReceivedCall[] = [];

/** @returns the port that it listens on */
export async function listen(): Promise<number> {
  const server = createServer((request, response) => {
    const pod = Number(request.headers['x-pod']);
    calls.push({ at: Date.now(), pod });
    response.statusCode = failsFor === 'all' || failsFor === pod ? 500 : 200;
    response.end('.');
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** @param whom the pod's number; all of them, or nobody */
export function fail(whom: 'nobody' | 'all' | number): void {
  failsFor = whom;
}

/** @returns those since it was asked last */
export function takeCalls(): ReceivedCall[] {
  const taken = calls;
  calls = [];
  return taken;
}
