import { advisor } from './advisor.js';
import { configuration } from './configuration.js';
import { fleet } from './fleet.js';
import { chaos, errors, transitions } from './lists.js';
import { live } from './live.js';
import { panels } from './panels.js';
import { breakers, bulkheads, operations } from './sections.js';
import { table } from './table.js';
import { tools } from './tools.js';
import { trends } from './trends.js';

/**
 * What runs in the browser. It is written as text, so that it needs no build and is exactly what the
 * page's policy allows; the parts share one scope. They say `var` and `function` and concatenate, so
 * that no backtick and no `\${` is needed in here.
 */
export const script = `(function () {
'use strict';
${[tools, trends, table, operations, breakers, bulkheads, panels, transitions, errors, configuration, chaos, fleet, advisor, live].join('\n')}
})();`;
