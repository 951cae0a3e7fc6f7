/**
 * `npm run simulate` lets every strategy live through every scenario, prints how they fared and which
 * of the library's goals hold, and draws the plots of the documentation. `-- --seed 7 --scenario hang
 * --strategy naive` runs a part, and draws nothing.
 */
import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { plot } from './plots.js';
import { table, verdicts } from './report.js';
import { SCENARIOS } from './scenarios.js';
import { type Result, simulate } from './simulation.js';
import { STRATEGIES } from './strategies/index.js';

const PLOTS = resolve('test/simulation/plots');

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    strategy: { type: 'string' },
  },
});
const seed = Number(values.seed);
if (!Number.isInteger(seed)) throw new Error(`--seed ${values.seed}: it has to be a whole number`);
const scenarios = select('scenario', SCENARIOS, values.scenario);
const strategies = select('strategy', STRATEGIES, values.strategy);
const all = values.strategy === undefined && values.seed === '1';

const results = new Map<string, Map<string, Result>>();
for (const scenario of scenarios) {
  const fared = new Map<string, Result>();
  for (const strategy of strategies) {
    if (strategy.only !== undefined && strategy.only !== scenario.id) continue;
    fared.set(strategy.id, await simulate(scenario, strategy, seed));
  }
  results.set(scenario.id, fared);
  console.log(`\n${table(scenario, [...fared.values()])}`);
  if (!all) continue;
  await mkdir(PLOTS, { recursive: true });
  await writeFile(`${PLOTS}/${scenario.id}.svg`, await plot(scenario, [...fared.values()]));
}
console.log(`\n${verdicts(results)}`);

function select<T extends { id: string }>(
  what: string,
  from: readonly T[],
  id: string | undefined,
): readonly T[] {
  const selected = id === undefined ? from : from.filter((each) => each.id === id);
  if (selected.length > 0) return selected;
  const known = from.map((each) => each.id).join(', ');
  throw new Error(`--${what} ${id}: there is no such ${what}; there are ${known}`);
}
