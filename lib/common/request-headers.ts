/** What services tell each other about a request: headers of HTTP, metadata of gRPC. */

/** What is left of the caller's deadline, in whole ms. Relative, so that clocks need not agree. */
export const REQUEST_TIMEOUT = 'x-request-timeout-ms';
/** `client`: that deadline comes from a stranger further out, and teaches nothing. */
export const REQUEST_TIMEOUT_ORIGIN = 'x-request-timeout-origin';
/** Which of the caller's attempts it is; the first is 1. */
export const REQUEST_ATTEMPT = 'x-request-attempt';
/** `critical` or `sheddable`. */
export const REQUEST_CRITICALITY = 'x-request-criticality';
/** `false` in an answer: this failure was retried to the end already, further in. */
export const SHOULD_RETRY = 'x-should-retry';
/** The same of gRPC: a negative number says no, any other how many ms to wait. */
export const RETRY_PUSHBACK = 'grpc-retry-pushback-ms';

/** What `REQUEST_TIMEOUT_ORIGIN` may say. */
export const CLIENT = 'client';

/** What `REQUEST_CRITICALITY` may say. */
export const CRITICAL = 'critical';
export const SHEDDABLE = 'sheddable';
