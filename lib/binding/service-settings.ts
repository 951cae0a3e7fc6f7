import { defined } from '../common/options.js';
import type { Settings } from '../dispatch/method-definition.js';
import type { ServiceOptions } from '../service/service.options.js';
import { isInline } from '../stage/named-instances.js';
import type { StageDefinition } from '../stage/stage-definition.js';

/**
 * A bundle, as the decorators that would say the same.
 *
 * @param name of the bundle, under which what it says inline is shared
 */
export function settingsOf(
  service: ServiceOptions,
  stages: readonly StageDefinition[],
  name?: string,
): Settings {
  const settings: Settings = defined({ ...service });
  for (const stage of stages) {
    const { key = stage.name } = stage;
    const value = settings[key];
    if (value === undefined) continue;
    delete settings[key];
    const isShared = stage.instances?.section !== undefined && isInline(value);
    settings[stage.name] = isShared ? (name ?? value) : value;
  }
  return settings;
}
