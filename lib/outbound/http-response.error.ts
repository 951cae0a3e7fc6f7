/** What is left of an answer whose body was read already. */
export interface HttpAnswer {
  /** The status of the answer. */
  readonly status: number;
  /** What the server called the status. */
  readonly statusText: string;
  /** The headers of the answer. */
  readonly headers: Headers;
  /** Where it came from; an empty string where nothing tells. */
  readonly url: string;
}

/**
 * Another service answered a `resilientFetch` or a `resilientRequest` with a status of 400 or more.
 *
 * What it sent is not enumerable, so that it does not end up in logs by accident.
 */
export class HttpResponseError extends Error {
  /** The class's name, by which logs show it. */
  override readonly name = 'HttpResponseError';
  /** The status of the answer. Below 500 it is a client error, which is not retried. */
  readonly status: number;
  readonly #response: HttpAnswer;
  readonly #body: string;

  constructor(response: HttpAnswer, body: string) {
    // The host alone: paths and queries carry identifiers and secrets.
    super(`${hostOf(response)} answered ${`${response.status} ${response.statusText}`.trim()}`);
    this.status = response.status;
    this.#response = response;
    this.#body = body;
  }

  /** The answer, for its headers: of `fetch`, its `Response`. */
  get response(): HttpAnswer {
    return this.#response;
  }

  /** The text of the answer, its first 64 KiB at most. */
  get body(): string {
    return this.#body;
  }
}

function hostOf({ url }: HttpAnswer): string {
  return URL.canParse(url) ? new URL(url).host : 'The service';
}
