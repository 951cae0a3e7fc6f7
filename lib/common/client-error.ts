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
    const status = statusOf(error as StatusCarrier);
    if (status === undefined || PUSH_BACK.has(status)) return false;
    return status < 500 && (status >= 400 || isHttpException(error));
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

/** The first number that can be an HTTP status: some clients say 0 where there was no response. */
function statusOf(error: StatusCarrier): number | undefined {
  const candidates = [
    isHttpException(error) ? error.getStatus?.() : undefined,
    error.status,
    error.statusCode,
    error.response?.status,
    error.$metadata?.httpStatusCode,
  ];
  return candidates.find(isHttpStatus);
}

function isHttpStatus(value: unknown): value is number {
  return typeof value === 'number' && value >= 100 && value < 600;
}

/** By its shape, so that any copy and version of Nest is recognised and none is imported here. */
function isHttpException(error: StatusCarrier): boolean {
  return typeof error.getStatus === 'function';
}
