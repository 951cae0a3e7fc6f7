import type {
  ChaosRule,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  ControlScope,
  ResilienceOverrides,
} from '../index.js';
import type { AdminState } from './admin-state.js';
import type { Control, Told } from './route.js';
import { objectOf, schema, types } from './schemas.js';

type Act = (breaker: CircuitBreakerPolicy, scope: ControlScope) => void;

/** What can be said of a breaker. */
const ACTIONS: readonly [action: string, summary: string, act: Act][] = [
  [
    'open',
    'Has a circuit breaker reject every call, until it is closed',
    (breaker, scope) => breaker.forceOpen(scope),
  ],
  [
    'close',
    'Closes a circuit breaker, with an empty window',
    (breaker, scope) => breaker.reset(scope),
  ],
  [
    'disable',
    'Has a circuit breaker let every call through and count none, until it is closed',
    (breaker, scope) => breaker.disable(scope),
  ],
];

/** What can be changed. */
export const CONTROLS: readonly Control[] = [
  ...ACTIONS.flatMap(forBreakers),
  {
    method: 'POST',
    path: '/reconfigure',
    summary: 'Sets other options, or none where one of them is wrong; null takes one back',
    description: 'They are put onto those that were said at run time before, option by option.',
    body: schema('Overrides'),
    isForFleet: true,
    act({ sources }, { body, scope }) {
      sources.resilience.reconfigure(body as ResilienceOverrides, scope);
      return {}; // the service writes what is another now, and by whom
    },
  },
  {
    method: 'POST',
    path: '/chaos',
    summary: 'Begins to inject a fault, in this instance',
    body: schema('NewChaosRule'),
    answers: objectOf({ id: types.text }),
    act({ sources }, { body }) {
      const id = sources.chaos.add(ruleOf(body));
      return { record: { event: 'chaos_controlled', action: 'add', rule: id }, answer: { id } };
    },
  },
  {
    method: 'DELETE',
    path: '/chaos/{id}',
    summary: 'Ends a rule',
    missing: 'There is no such rule',
    act({ sources }, { names: [rule = ''] }) {
      if (!sources.chaos.remove(rule)) return undefined;
      return { record: { event: 'chaos_controlled', action: 'remove', rule } };
    },
  },
  {
    method: 'POST',
    path: '/chaos/stop',
    summary: 'Ends all rules',
    isForFleet: true,
    act({ sources: { chaos } }, { scope }) {
      if (!(chaos.isOn || scope.fleet)) return {};
      chaos.stopAll(scope);
      return { record: { event: 'chaos_controlled', action: 'stop' } };
    },
  },
];

/** With the name in the path; or in the query, for what is between that takes no `%2F`, or no long parts of paths. */
function forBreakers([action, summary, act]: (typeof ACTIONS)[number]): Control[] {
  const common = {
    method: 'POST',
    summary,
    description:
      'By the name of all keys, such as partner[*], it is done to those of all, and to each that comes later.',
    isForFleet: true,
    missing: 'There is no such circuit breaker',
  } as const;
  const on = (breaker: string, { sources }: AdminState, { scope }: Told) => {
    if (!toBreakers(sources.breakers, breaker, (each) => act(each, scope))) return undefined;
    return { record: { event: 'circuit_breaker_controlled', breaker, action } };
  };
  return [
    {
      ...common,
      path: `/breakers/{name}/${action}`,
      act: (state, told) => on(told.names[0] ?? '', state, told),
    },
    {
      ...common,
      path: `/breakers/${action}`,
      query: { name: 'Of the circuit breaker.' },
      act: (state, told) => on(told.query('name') ?? '', state, told),
    },
  ];
}

/** @returns whether there is one */
function toBreakers(
  breakers: CircuitBreakerRegistry,
  name: string,
  act: (breaker: CircuitBreakerPolicy) => void,
): boolean {
  const keyed = breakers.allOf(name);
  if (keyed !== undefined) keyed.forAll(act);
  else if (breakers.has(name)) act(breakers.get(name));
  else return false;
  return true;
}

/** JSON knows no dates. What is wrong in it is said by who is given it. */
function ruleOf(body: unknown): ChaosRule {
  const { until } = (body ?? {}) as { until?: unknown };
  if (typeof until !== 'string') return body as ChaosRule;
  return { ...(body as ChaosRule), until: new Date(until) } as ChaosRule;
}
