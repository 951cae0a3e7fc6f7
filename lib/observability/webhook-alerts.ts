import { Logger } from '@nestjs/common';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { checkOptions, duration, positiveCount, type Rules } from '../common/options.js';
import { timestamp } from '../common/timestamp.js';
import type { AlertChannel, CriticalAlert, Recovery } from '../criticality/alert-channel.js';
import { describeError } from './error-record.js';

/** Where alerts are posted to. */
export interface WebhookAlertsOptions {
  /** An `http:` or `https:` URL, such as one of Slack's incoming webhooks. */
  url: string;
  /** Sent with each post, beside `content-type`. */
  headers?: Record<string, string>;
  /** What one post may take, in ms. @default 5000 */
  timeoutMs?: number;
  /** So many messages wait while one is posted; later ones are dropped and counted. @default 100 */
  queueLimit?: number;
}

const RULES: Rules<WebhookAlertsOptions> = {
  url: (value) => (isHttpUrl(value) ? undefined : 'an http: or https: URL'),
  headers: (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((it) => typeof it === 'string')
      ? undefined
      : 'an object of strings',
  timeoutMs: duration,
  queueLimit: positiveCount,
};

/**
 * Posts alerts as JSON. `text` is all that Slack wants; the rest is for other receivers: `event`
 * (`critical_failure` or `recovered`), `operation`, `error_type`, `error_message`, `suppressed`,
 * `breaker`, `operations`, `dropped`, `timestamp`.
 *
 * One post is under way at a time, and no call waits for it.
 */
export class WebhookAlerts implements AlertChannel {
  private readonly logger = new Logger(WebhookAlerts.name);
  private readonly options: Required<WebhookAlertsOptions>;
  private readonly queue: object[] = [];
  private dropped = 0;
  private posting: Promise<void> | undefined = undefined;

  /** @throws ResilienceConfigurationError */
  constructor(options: WebhookAlertsOptions) {
    const checked = checkOptions<WebhookAlertsOptions>('WebhookAlerts', options, RULES);
    if (checked.url === undefined) {
      throw new ResilienceConfigurationError(
        'WebhookAlerts.url',
        `is ${display(checked.url)}; allowed: an http: or https: URL`,
      );
    }
    this.options = { headers: {}, timeoutMs: 5_000, queueLimit: 100, ...checked };
  }

  sendCritical(message: string, { error, context, suppressed }: CriticalAlert): void {
    const { type, message: error_message } = describeError(error);
    const text =
      suppressed === 0 ? message : `${message} (${suppressed} more since the last alert)`;
    const { metadata: _notSent, ...where } = context;
    this.enqueue({
      event: 'critical_failure',
      text,
      ...where,
      error_type: type,
      error_message,
      suppressed,
    });
  }

  sendRecovered(message: string, { breaker, operations }: Recovery): void {
    this.enqueue({ event: 'recovered', text: message, breaker, operations });
  }

  /** Resolves when nothing waits any more, or after `timeoutMs`. */
  async flush(): Promise<void> {
    if (this.posting === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.options.timeoutMs);
    });
    await Promise.race([this.posting, late]);
    clearTimeout(timer);
  }

  private enqueue(message: object): void {
    if (this.queue.length >= this.options.queueLimit) {
      this.dropped++;
      return;
    }
    this.queue.push({ ...message, timestamp: timestamp() });
    this.posting ??= this.postAll();
  }

  private async postAll(): Promise<void> {
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      const { dropped } = this;
      this.dropped = 0;
      try {
        await this.post(dropped === 0 ? next : { ...next, dropped });
      } catch (error) {
        this.dropped += dropped;
        this.logger.warn(`An alert was not delivered: ${describeError(error).message}`);
      }
      this.queue.shift();
    }
    this.posting = undefined;
  }

  private async post(message: object): Promise<void> {
    const { url, headers, timeoutMs } = this.options;
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel(); // nobody reads it, and the connection shall be free
    if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
  }
}

function isHttpUrl(value: unknown): boolean {
  return (
    typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
  );
}
