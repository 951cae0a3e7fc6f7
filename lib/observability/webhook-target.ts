import { kindOf, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Rule } from '../common/options.js';
import { describeError } from '../errors/error-record.js';

/** Without the URL in the message, which may be the password of whoever mistypes it. */
export const webhookUrl: Rule = (value, place) => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return undefined;
  const shown =
    url === undefined || url.host === '' ? kindOf(value) : `one of ${url.protocol}//${url.host}`;
  throw new ResilienceConfigurationError(place, `is ${shown}; allowed: an http: or https: URL`);
};

/**
 * Where a webhook is, and what each post tells it about itself. Its path is often its password, and its
 * headers hold others: so messages name its origin, and nothing else of it.
 */
export class WebhookTarget {
  readonly origin: string;
  private readonly url: URL;
  private readonly headers: Headers;

  /**
   * @param url credentials in it become an `Authorization` header: `fetch` refuses them
   * @throws ResilienceConfigurationError
   */
  constructor(url: string, headers: Record<string, string>) {
    this.url = new URL(url);
    this.origin = this.url.origin;
    this.headers = headersOf(headers);
    const { username, password } = this.url;
    if (username === '' && password === '') return;
    if (this.headers.has('authorization')) {
      throw new ResilienceConfigurationError(
        'WebhookAlerts.url',
        'has credentials, and headers has an authorization too; allowed: one of them',
      );
    }
    this.headers.set('authorization', basic(username, password));
    this.url.username = '';
    this.url.password = '';
  }

  /**
   * @throws an error whose message can be logged, where the post has not arrived. A redirect is not
   * followed: what it leads to has not been given the headers, nor the alerts.
   */
  async post(body: string, timeoutMs: number): Promise<void> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: this.headers,
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((error) => {
      throw new Error(this.reasonOf(error));
    });
    await response.body?.cancel(); // nobody reads it, and the connection shall be free
    if (!response.ok) throw new Error(`it answered ${response.status}`);
  }

  /** What `fetch` says, and why. Whatever it is, it may have put the URL into it. */
  private reasonOf(error: unknown): string {
    const { cause } = error as { cause?: unknown };
    const reasons = cause === undefined ? [error] : [error, cause];
    const { href, pathname, search } = this.url;
    const path = `${pathname}${search}`;
    const secrets = path === '/' ? [href] : [href, path];
    return secrets.reduce(
      (text, secret) => text.replaceAll(secret, this.origin),
      reasons.map((reason) => describeError(reason).message).join(': '),
    );
  }
}

/** @throws ResilienceConfigurationError without the values: `fetch` would quote them at each alert */
function headersOf(headers: Record<string, string>): Headers {
  const made = new Headers();
  for (const [name, value] of Object.entries({ ...headers, 'content-type': 'application/json' })) {
    try {
      made.set(name, value);
    } catch {
      throw new ResilienceConfigurationError(
        'WebhookAlerts.headers',
        `a name or a value (of ${value.length} characters) is not that of an HTTP header; allowed: names of letters, digits and hyphens, values on one line`,
      );
    }
  }
  return made;
}

/** RFC 7617. */
function basic(username: string, password: string): string {
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`;
  } catch {
    throw new ResilienceConfigurationError(
      'WebhookAlerts.url',
      'has credentials in which a % is not the beginning of an encoded character; allowed: %25 for a %',
    );
  }
}
