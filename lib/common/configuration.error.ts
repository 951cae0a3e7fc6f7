/**
 * A mistake in the configuration, found when the application boots.
 *
 * The message names the place (`breakers.payments.failureThreshold`, `PaymentsService.charge`), the
 * value found there and what is allowed instead.
 */
export class ResilienceConfigurationError extends Error {
  override readonly name = 'ResilienceConfigurationError';

  constructor(
    /** Where the mistake is: a path into the options, or `ClassName.method`. */
    readonly place: string,
    problem: string,
  ) {
    super(`${place}: ${problem}`);
  }
}

/** How a value looks in an error message: short, on one line, and never throwing. */
export function display(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (typeof value === 'function')
    return value.name === '' ? 'a function' : `function ${value.name}`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return shorten(JSON.stringify(value) ?? 'an object');
  } catch {
    return 'an object';
  }
}

/** What kind of thing a value is, where the value itself may be a secret. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return 'a string';
  return typeof value === 'object' && value !== null ? 'an object' : display(value);
}

/** `known: a, b` for messages about an unknown name. */
export function known(names: Iterable<string>): string {
  const list = [...names];
  return list.length === 0 ? 'none is registered' : `known: ${list.join(', ')}`;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
