import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { anyFunction, duration } from '../common/option-rules.js';
import { checkOptions } from '../common/options.js';
import { isPlainObject } from '../common/plain-object.js';
import { read } from '../common/read.js';

/** Where what an application has learnt is kept across restarts. `fileState()` is one for one host. */
export interface StateStore {
  /** The document that was saved last, as text or parsed; `undefined`, `null` or nothing where there is none. */
  load(): unknown;
  /** Keeps a document in the place of the one before. It is JSON, of at most four million characters. */
  save(document: string): unknown;
}

/** Where what policies have learnt is kept over a restart, and how often. */
export interface StateOptions extends StateStore {
  /** How often what has changed is saved, in ms. @default 10000 */
  intervalMs?: number;
  /** How long the start waits for `load()`, and the end for `save()`, in ms. @default 1000 */
  timeoutMs?: number;
}

/** @throws ResilienceConfigurationError */
export function checkStateOptions(place: string, options: unknown): StateOptions {
  const given = checkOptions<StateOptions>(place, sayingOf(options), {
    load: anyFunction,
    save: anyFunction,
    intervalMs: duration,
    timeoutMs: duration,
  });
  for (const name of ['load', 'save'] as const)
    if (given[name] === undefined)
      throw new ResilienceConfigurationError(
        `${place}.${name}`,
        "is missing; allowed: a function, as in fileState('/var/lib/shop/resilience.json')",
      );
  return given;
}

/** What is said of a store: one of a class has its methods there, which need it, and fields of its own. */
export function sayingOf(options: unknown): unknown {
  const isStore = ['load', 'save'].every((name) => typeof read(options, name) === 'function');
  if (!isStore || isPlainObject(options as StateOptions)) return options;
  const store = options as StateOptions;
  return {
    load: () => store.load(),
    save: (document: string) => store.save(document),
    intervalMs: store.intervalMs,
    timeoutMs: store.timeoutMs,
  };
}
