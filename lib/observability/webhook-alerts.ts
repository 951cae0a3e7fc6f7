import { Logger } from '@nestjs/common';
import { Alarm } from '../common/alarm.js';
import { duration, positiveCount } from '../common/option-rules.js';
import { check, checkOptions, type Rules, unshown } from '../common/options.js';
import { timestamp } from '../common/timestamp.js';
import type { AlertChannel, CriticalAlert, Recovery } from '../criticality/alert-channel.js';
import { describeError, errorFields } from '../errors/error-record.js';
import { chatText } from './chat-text.js';
import { WebhookTarget, webhookUrl } from './webhook-target.js';

/** Where alerts are posted to. */
export interface WebhookAlertsOptions {
  /**
   * An `http:` or `https:` URL, such as one of Slack's incoming webhooks. Credentials in it are sent as
   * `Authorization: Basic …`. Messages and the log show its origin only.
   */
  url: string;
  /** Sent with each post, beside `content-type`, to the URL alone: a redirect is not followed. */
  headers?: Record<string, string>;
  /** How long one post may take, in ms. @default 5000 */
  timeoutMs?: number;
  /**
   * How many messages wait while one is posted, at least 1; later ones are dropped and counted. @default 100
   */
  queueLimit?: number;
}

const RULES: Rules<WebhookAlertsOptions> = {
  url: webhookUrl,
  headers: unshown((value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((it) => typeof it === 'string')
      ? undefined
      : 'an object of strings',
  ),
  timeoutMs: duration,
  queueLimit: positiveCount,
};

const given = unshown((value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : 'an object with url',
);

/**
 * Posts alerts as JSON. `text` is all that Slack wants, with `&`, `<` and `>` escaped, so that nothing
 * in an error's message is a link or a mention; `@everyone` and its like ring nobody elsewhere either,
 * but other markup of other receivers (Markdown) is left as it is. The rest is plain data: `event`
 * (`critical_failure` or `recovered`), `operation`, `error_type`, `error_message`, `cause_type`,
 * `cause_message`, `suppressed`, `breaker`, `operations`, `dropped`, `timestamp`.
 *
 * One post is under way at a time, and no call waits for it.
 *
 * @example
 * ResilienceModule.forRoot({
 *   alerts: new WebhookAlerts({ url: 'https://hooks.test/alerts' }),
 * });
 */
export class WebhookAlerts implements AlertChannel {
  private readonly logger = new Logger(WebhookAlerts.name);
  private readonly target: WebhookTarget;
  private readonly timeoutMs: number;
  private readonly queueLimit: number;
  private readonly queue: object[] = [];
  private dropped = 0;
  private posting: Promise<void> | undefined = undefined;

  /** @throws ResilienceConfigurationError */
  constructor(options: WebhookAlertsOptions) {
    check('WebhookAlerts', options, given); // it may be the URL itself
    const checked = checkOptions<WebhookAlertsOptions>('WebhookAlerts', options, RULES);
    check('WebhookAlerts.url', checked.url, webhookUrl);
    this.target = new WebhookTarget(checked.url, checked.headers ?? {});
    this.timeoutMs = checked.timeoutMs ?? 5_000;
    this.queueLimit = checked.queueLimit ?? 100;
  }

  /** Posts the alert, and answers at once. */
  sendCritical(message: string, alert: CriticalAlert): void {
    const { context, chaos, suppressed } = alert;
    const text =
      suppressed === 0 ? message : `${message} (${suppressed} more since the last alert)`;
    const { metadata: _notSent, ...where } = context;
    this.enqueue({
      event: 'critical_failure',
      text: chatText(text),
      ...where,
      ...errorFields(alert),
      ...(chaos && { chaos }),
      suppressed,
    });
  }

  sendRecovered(message: string, { breaker, operations }: Recovery): void {
    this.enqueue({ event: 'recovered', text: chatText(message), breaker, operations });
  }

  /** Resolves when nothing waits any more, or after `timeoutMs`. */
  async flush(): Promise<void> {
    if (this.posting === undefined) return;
    let alarm: Alarm | undefined;
    const late = new Promise<void>((resolve) => {
      alarm = new Alarm(resolve);
      alarm.set(this.timeoutMs);
    });
    await Promise.race([this.posting, late]);
    alarm?.stop();
  }

  private enqueue(message: object): void {
    if (this.queue.length >= this.queueLimit) {
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
        const message = dropped === 0 ? next : { ...next, dropped };
        await this.target.post(JSON.stringify(message), this.timeoutMs);
      } catch (error) {
        this.dropped += dropped;
        this.logger.warn(
          `An alert was not delivered to ${this.target.origin}: ${describeError(error).message}`,
        );
      }
      this.queue.shift();
    }
    this.posting = undefined;
  }
}
