import { createServer } from 'node:http';

interface Result {
  statusCode: number;
  body: string;
}

/** So long a function may take. */
const TIMEOUT_MS = 3_000;

/** Stands for an API gateway, which makes each request an event of a function, with the last of its path as `sku`. */
export function serveFunction(
  handler: (event: object, context: object) => Promise<Result>,
  port: number,
): void {
  createServer(async ({ url = '/' }, response) => {
    const end = Date.now() + TIMEOUT_MS;
    const event = { pathParameters: { sku: url.split('/').at(-1) } };
    const context = { getRemainingTimeInMillis: () => end - Date.now() };
    const { statusCode, body } = await handler(event, context);
    response.writeHead(statusCode, { 'content-type': 'application/json' }).end(`${body}\n`);
  }).listen(port);
}
