import { isDeepStrictEqual } from 'node:util';
import { merge } from '../common/options.js';
import type { OverridesInForce } from '../overrides/overrides-in-force.js';
import type { Shedding } from '../shedding/shedding.js';
import {
  checkSheddingOptions,
  resolveSheddingOptions,
  type SheddingOptions,
} from '../shedding/shedding.options.js';
import type { PolicyChange } from '../stage/policy-change.js';

const PLACE = 'inbound.shedding';

/** The shedding of the whole server, under overrides. */
export class LiveShedding {
  private options: SheddingOptions | undefined;

  /** @param given what the module says */
  constructor(
    private readonly shedding: Pick<Shedding, 'change'>,
    private readonly given: SheddingOptions | undefined,
  ) {
    this.options = given;
  }

  /** @throws ResilienceConfigurationError */
  propose(inForce: OverridesInForce): PolicyChange[] {
    const { isOn, layers } = inForce.ofShedding();
    const own = layers.some(({ place }) => place.endsWith(PLACE));
    const said = merge<SheddingOptions>(this.given, ...layers.map(({ options }) => options));
    const isThere = isOn && (this.given !== undefined || own);
    const options = isThere ? checkSheddingOptions(layers.at(-1)?.place ?? PLACE, said) : undefined;
    if (isDeepStrictEqual(options, this.options)) return [];
    const apply = () => {
      this.options = options;
      this.shedding.change(options);
    };
    return [{ place: PLACE, from: inWords(this.options), to: inWords(options), apply }];
  }
}

function inWords(options: SheddingOptions | undefined): object {
  return options === undefined ? { enabled: false } : resolveSheddingOptions(options);
}
