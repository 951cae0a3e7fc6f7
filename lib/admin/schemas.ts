/** Of JSON, as OpenAPI 3.1 has it. */
export type Schema = { readonly [keyword: string]: unknown };

export interface ObjectSchema extends Schema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const amount: Schema = { type: 'number' };
const count: Schema = { type: 'integer', minimum: 0 };
const time: Schema = { type: 'string', format: 'date-time' };
/** Of which the names are those of the application, or of the library's stages. */
const anything: Schema = { type: 'object' };

/** The properties have to be there unless their names end in a question mark. */
export function objectOf(
  properties: Readonly<Record<string, Schema>>,
  description?: string,
): ObjectSchema {
  const entries = Object.entries(properties);
  const required = entries.map(([name]) => name).filter((name) => !name.endsWith('?'));
  return {
    type: 'object',
    ...(description !== undefined && { description }),
    properties: Object.fromEntries(
      entries.map(([name, schema]) => [name.replace('?', ''), schema]),
    ),
    ...(required.length > 0 && { required }),
  };
}

export function listOf(items: Schema): Schema {
  return { type: 'array', items };
}

export function said(schema: Schema, description: string): Schema {
  return { ...schema, description };
}

function oneOf(...values: string[]): Schema {
  return { type: 'string', enum: values };
}

export const types = { text, flag, amount, count, time, anything };

const byName: Schema = { type: ['object', 'null'] };

const told = { type: text, message: text };
const health = oneOf('up', 'degraded', 'down');
const stages = said(anything, 'The options in force, by the name of their stage.');
const origins = said(
  anything,
  'Where each of these comes from, by stage and option: default, defaults, module, decorator, override or run time.',
);
const operation = {
  operation: text,
  'kind?': oneOf('provider', 'handler', 'service'),
  'critical?': flag,
  'upstream?': text,
  stages,
  'origins?': origins,
};

/** What answers are made of, by their names in the document. */
export const SCHEMAS = {
  Operation: objectOf(
    {
      ...operation,
      stats: objectOf(
        {
          calls: count,
          rate: said(amount, 'Per second.'),
          errorRate: said(amount, 'Calls whose last attempt failed, 0 to 100.'),
          hiddenRate: said(amount, 'Calls that a fallback or a degradation answered, 0 to 100.'),
          retries: count,
          'p50?': said(amount, 'In ms, of calls that reached what they call.'),
          'p95?': amount,
          'p99?': amount,
        },
        'Of the last minute.',
      ),
    },
    'An operation without a kind is one that only the metrics know.',
  ),
  Configured: objectOf(operation),
  Policy: objectOf({
    section: said(text, 'The option of the module in which it is named: breakers.'),
    stage: text,
    name: text,
    'oneOf?': said(text, 'Of one that is kept by key: the name of all of them together.'),
    status: health,
    health: said(anything, 'What a health check says of it.'),
    snapshot: said(anything, 'How it stands.'),
  }),
  Event: {
    ...objectOf(
      { type: text, timestamp: time },
      'With further fields for each type, as ResilienceEvents has them.',
    ),
    additionalProperties: true,
  },
  Error: objectOf({
    ...told,
    'cause?': objectOf(told),
    context: objectOf({
      'service?': text,
      operation: text,
      'userId?': text,
      'requestId?': text,
      'upstream?': text,
      'metadata?': anything,
    }),
    handled: said(flag, 'Whether its caller got something else instead.'),
    'outcome?': text,
    'attempts?': count,
    'durationMs?': amount,
    'retrySuppressed?': text,
    'fallbackError?': objectOf(told),
    'chaos?': flag,
    timestamp: time,
  }),
  ChaosRule: objectOf({
    id: text,
    'operations?': text,
    'upstream?': text,
    rate: { type: 'number', minimum: 0, maximum: 1 },
    effect: oneOf('latency', 'error', 'hang', 'result'),
    'latencyMs?': { oneOf: [amount, listOf(amount)] },
    'endsAt?': time,
    injected: count,
  }),
  NewChaosRule: objectOf(
    {
      'id?': text,
      'operations?': said(text, '* stands for anything.'),
      'upstream?': text,
      'rate?': { type: 'number', minimum: 0, maximum: 1 },
      'latencyMs?': { oneOf: [amount, listOf(amount)] },
      'error?': { const: true },
      'hang?': { const: true },
      'result?': {},
      'forMs?': amount,
      'until?': time,
    },
    'As of Chaos.add(), without what only a program can say.',
  ),
  OperationAdvice: objectOf({
    operation: text,
    calls: said(count, 'So many were observed.'),
    advice: listOf(
      objectOf({
        kind: text,
        option: said(text, 'As overrides name it: breakers.payments.failureRateThreshold.'),
        'current?': said({}, 'What is in force.'),
        'proposed?': said({}, 'What it should be.'),
        because: text,
        figures: { type: 'object', additionalProperties: amount },
        overrides: anything,
      }),
    ),
  }),
  Overrides: {
    ...objectOf(
      {
        'enabled?': { type: ['boolean', 'null'] },
        'mode?': { enum: ['enforce', 'shadow', null] },
        'all?': said(byName, 'By stage.'),
        'upstreams?': byName,
        'classes?': byName,
        'operations?': byName,
        'breakers?': byName,
        'bulkheads?': byName,
        'rateLimits?': byName,
        'retries?': byName,
        'retryBudgets?': byName,
        'timeouts?': byName,
      },
      'As of ResilienceService.reconfigure(); also what has names among stages of your own.',
    ),
    additionalProperties: true,
  },
  Instance: objectOf({
    instance: text,
    'version?': text,
    library: text,
    upMs: amount,
    ageMs: said(amount, 'How long ago it has told this.'),
    chaos: flag,
    policies: listOf(objectOf({ section: text, name: text, state: text, status: health })),
  }),
  Failure: objectOf({ statusCode: count, message: text, 'error?': text }),
} satisfies Record<string, Schema>;

export function schema(name: keyof typeof SCHEMAS): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
