import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  Hedge,
  InjectBulkhead,
  InjectCircuitBreaker,
  Resilience,
  ResilienceConfigurationError,
  Retry,
  Signal,
  Timeout,
  Upstream,
} from '../../lib/index.js';

type StandardDecorator = (value: unknown, context: object) => void;

const DECORATORS: [string, unknown][] = [
  ['@Retry()', Retry()],
  ['@CircuitBreaker()', CircuitBreaker()],
  ['@Timeout()', Timeout(100)],
  ['@Bulkhead()', Bulkhead()],
  ['@Hedge()', Hedge(50)],
  ['@Fallback()', Fallback(() => null)],
  ['@Critical()', Critical()],
  ['@Upstream()', Upstream('api')],
  ['@Resilience()', Resilience('geo')],
  ['@Signal()', Signal()],
  ['@InjectCircuitBreaker()', InjectCircuitBreaker('payments')],
  ['@InjectBulkhead()', InjectBulkhead('write')],
];

const PLACES: [string, unknown, string | symbol][] = [
  ['class', class Service {}, 'Service'],
  ['method', () => undefined, 'run'],
  ['method', () => undefined, Symbol('run')],
  ['field', undefined, 'client'],
  ['accessor', { get: () => 1, set: () => undefined }, 'client'],
  ['getter', () => 1, 'client'],
  ['setter', () => undefined, 'client'],
];

describe.each(DECORATORS)(
  '%s, called as a standard ECMAScript decorator',
  (decorator, decorate) => {
    it.each(PLACES)('on a %s, says that experimentalDecorators is needed', (kind, value, name) => {
      const context = { kind, name, static: false, private: false, metadata: {} };
      const use = () => (decorate as StandardDecorator)(value, context);
      expect(use).toThrow(ResilienceConfigurationError);
      const shown = typeof name === 'symbol' ? String(name) : `"${name}"`;
      expect(use).toThrow(`${decorator} on the ${kind} ${shown}: `);
      expect(use).toThrow(/standard ECMAScript decorator; set "experimentalDecorators": true/);
      expect(use).toThrow(/Nest itself needs/);
    });
  },
);
