/** By these the dependency pushes back (timeout, too early, too many requests): not the caller's fault. */
const PUSH_BACK = new Set([408, 425, 429]);

/**
 * Whether an error is an answer about the request rather than a failure of the one who answers: an
 * `HttpException` below 500, or a numeric `status`, `statusCode`, `response.status` or
 * `$metadata.httpStatusCode` of 400 to 499. 408, 425 and 429 never are.
 */
export function isClientError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    const statuses = statusesOf(error as StatusCarrier);
    if (statuses.some((status) => PUSH_BACK.has(status))) return false;
    return isHttpException(error)
      ? statuses.some((status) => status < 500)
      : statuses.some((status) => status >= 400 && status < 500);
  } catch {
    return false; // a getter that throws tells us nothing
  }
}

interface StatusCarrier {
  getStatus?: () => unknown;
  status?: unknown;
  statusCode?: unknown;
  response?: { status?: unknown } | null;
  $metadata?: { httpStatusCode?: unknown } | null;
}

/** An `HttpException` says its own status; its `response` is the body, which may quote another. */
function statusesOf(error: StatusCarrier): number[] {
  const candidates = isHttpException(error)
    ? [error.getStatus?.()]
    : [error.status, error.statusCode, error.response?.status, error.$metadata?.httpStatusCode];
  return candidates.filter((candidate) => typeof candidate === 'number');
}

/** By its shape, so that any copy and version of Nest is recognised and none is imported here. */
function isHttpException(error: StatusCarrier): boolean {
  return typeof error.getStatus === 'function';
}
