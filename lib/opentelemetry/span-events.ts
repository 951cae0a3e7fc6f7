import { subscribe } from 'node:diagnostics_channel';
import { type Attributes, type Span, trace } from '@opentelemetry/api';
import { describeError, type ResilienceEvent } from '../index.js';

/** A failure that the caller does not see. */
interface Hidden {
  outcome?: 'fallback' | 'degraded';
  error?: unknown;
}

/** The spans of resilient calls: no others get our events. */
const spans = new WeakMap<Span, Hidden>();
let listening = false;

/** From now on the events of the call go to its span. */
export function rememberSpan(span: Span): void {
  spans.set(span, {});
  if (listening) return;
  listening = true; // once in the process: which call an event belongs to is for the active span to say
  subscribe('nestjs-bulwark:event', (event) => addEvent(event as ResilienceEvent));
}

/** What was hidden from the caller of the span's call; nothing where it succeeded. */
export function hiddenFrom(span: Span): Hidden {
  return spans.get(span) ?? {};
}

function addEvent(event: ResilienceEvent): void {
  const span = trace.getActiveSpan();
  const hidden = span && spans.get(span);
  if (span === undefined || hidden === undefined) return;
  span.addEvent(`resilience.${event.type}`, attributesOf(event));
  if (event.type === 'chaos') span.setAttribute('resilience.chaos', true);
  const isHidden = event.type === 'degraded' || (event.type === 'fallback' && event.succeeded);
  if (!isHidden) return;
  hidden.outcome = event.type;
  hidden.error = event.error;
  span.setAttribute('resilience.outcome', event.type);
}

/** What is plain in an event; of an error, its type. */
function attributesOf({
  type: _type,
  timestamp: _timestamp,
  ...fields
}: ResilienceEvent): Attributes {
  const attributes: Attributes = {};
  for (const [field, value] of Object.entries(fields)) {
    if (field === 'error') attributes['error.type'] = describeError(value).type;
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      attributes[`resilience.${field}`] = value;
    }
  }
  return attributes;
}
