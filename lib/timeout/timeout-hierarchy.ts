import { propertyName, ResilienceConfigurationError } from '../common/configuration.error.js';
import { duration } from '../common/option-rules.js';
import { type Checker, checkerOf, type Rules } from '../common/options.js';

/**
 * The time budgets of nested layers, in ms. Each has to be shorter than the one around it, so that
 * the inner one gives up first and the outer one can still answer.
 */
export interface TimeoutHierarchy {
  /** What one call to the dependency may take, in ms. */
  client: number;
  /** What an API gateway gives the service, in ms; more than `client`. */
  gateway: number;
  /** What the whole request may take, in ms; more than `gateway`. */
  service: number;
}

/** A layer of a hierarchy. */
export type TimeoutLayer = keyof TimeoutHierarchy;

const RULES: Rules<TimeoutHierarchy> = { client: duration, gateway: duration, service: duration };

const checkLayers = checkerOf<TimeoutHierarchy>(RULES);

/** Some layers of a hierarchy, which take the place of those that it has. */
export const checkTimeoutLayers: Checker<TimeoutHierarchy> = (place, said) => {
  refuseLayerName(place, said, []);
  return checkLayers(place, said);
};

/** Decorators say `'payments.client'`, while options nest. */
function refuseLayerName(place: string, said: unknown, others: readonly TimeoutLayer[]): void {
  const [, name, layer] = /\btimeouts\.(.+)\.(client|gateway|service)$/.exec(place) ?? [];
  if (name === undefined || typeof said !== 'number') return;
  const unsaid = others.filter((other) => other !== layer).map((other) => `, ${other}: …`);
  throw new ResilienceConfigurationError(
    place,
    `is ${said}; allowed: timeouts: { ${propertyName(name)}: { ${layer}: ${said}${unsaid.join('')} } }`,
  );
}

/**
 * Checks that client < gateway < service.
 *
 * @throws ResilienceConfigurationError where one is not shorter than the next, or no number of ms above 0
 *
 * @example
 * validateTimeouts({ client: 800, gateway: 2_000, service: 5_000 });
 */
export function validateTimeouts(hierarchy: TimeoutHierarchy, place = 'timeouts'): void {
  refuseLayerName(place, hierarchy, ['client', 'gateway', 'service']);
  const { client, gateway, service } = checkLayers(place, hierarchy);
  for (const [layer, value] of Object.entries({ client, gateway, service })) {
    if (value === undefined) {
      throw new ResilienceConfigurationError(
        `${place}.${layer}`,
        'is missing; a hierarchy has client, gateway and service',
      );
    }
  }
  if (!(client < gateway && gateway < service)) {
    throw new ResilienceConfigurationError(
      place,
      `is client ${client}, gateway ${gateway}, service ${service}; allowed: client < gateway < service`,
    );
  }
}
