import type { Strategy } from '../strategy.js';
import { article } from './article.js';
import { budgetAlone, bulwark, keyless } from './bulwark.js';
import { cockatiel } from './cockatiel.js';
import { opossum } from './opossum.js';
import { backoffAlone, naiveRetries, noRetries } from './plain.js';

/** In the order in which they are reported. */
export const STRATEGIES: readonly Strategy[] = [
  noRetries,
  naiveRetries,
  backoffAlone,
  article,
  cockatiel,
  opossum,
  budgetAlone,
  keyless,
  bulwark,
];
