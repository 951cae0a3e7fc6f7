import { subscribe } from 'node:diagnostics_channel';
import { type Attributes, type Span, trace } from '@opentelemetry/api';
import { describeError, type ResilienceEvent } from '../index.js';

/** The spans of resilient calls: no others get our events. */
const spans = new WeakSet<Span>();
let listening = false;

/** From now on the events of the call go to its span. */
export function rememberSpan(span: Span): void {
  spans.add(span);
  if (listening) return;
  listening = true; // once in the process: which call an event belongs to is for the active span to say
  subscribe('nestjs-bulwark:event', (event) => addEvent(event as ResilienceEvent));
}

function addEvent(event: ResilienceEvent): void {
  const span = trace.getActiveSpan();
  if (span === undefined || !spans.has(span)) return;
  span.addEvent(`resilience.${event.type}`, attributesOf(event));
  if (event.type === 'chaos') span.setAttribute('resilience.chaos', true);
  if (event.type === 'degraded') span.setAttribute('resilience.outcome', 'degraded');
  if (event.type === 'fallback' && event.succeeded)
    span.setAttribute('resilience.outcome', 'fallback');
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
