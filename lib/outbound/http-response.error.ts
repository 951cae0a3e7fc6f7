/**
 * Another service answered a `resilientFetch` with a status of 400 or more.
 *
 * What it sent is not enumerable, so that it does not end up in logs by accident.
 */
export class HttpResponseError extends Error {
  override readonly name = 'HttpResponseError';
  /** The status of the answer. Below 500 it is a client error, which is not retried. */
  readonly status: number;
  readonly #response: Response;
  readonly #body: string;

  constructor(response: Response, body: string) {
    // The host alone: paths and queries carry identifiers and secrets.
    super(`${hostOf(response)} answered ${`${response.status} ${response.statusText}`.trim()}`);
    this.status = response.status;
    this.#response = response;
    this.#body = body;
  }

  /** The answer, for its headers; its body was read already. */
  get response(): Response {
    return this.#response;
  }

  /** The text of the answer, its first 64 KiB at most. */
  get body(): string {
    return this.#body;
  }
}

function hostOf({ url }: Response): string {
  return URL.canParse(url) ? new URL(url).host : 'The service';
}
