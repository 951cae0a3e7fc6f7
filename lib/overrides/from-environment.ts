import { readFileSync } from 'node:fs';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { maskSecrets } from '../common/secret-text.js';

/** The variable that overrides are read from. */
export const VARIABLE = 'RESILIENCE_OVERRIDES';

const ALLOWED =
  'allowed: JSON such as {"all":{"retry":{"enabled":false}}}, or the path of a file with that';

/**
 * The overrides that the environment says: as JSON, or by the path of a file.
 *
 * @returns `undefined` where it says none
 * @throws ResilienceConfigurationError which shows nothing of the text, in which there may be secrets
 */
export function overridesFromEnv(env: NodeJS.ProcessEnv = process.env): unknown {
  const value = env[VARIABLE]?.trim() ?? '';
  if (value === '') return undefined;
  const isText = /^[{["]/.test(value); // also of JSON that is no object, which is told as such later
  return isText ? parsed(value, VARIABLE) : parsed(contentOf(value), inFile(value));
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'an error' } = error as NodeJS.ErrnoException;
    throw new ResilienceConfigurationError(
      inFile(path),
      `the file cannot be read (${code}); ${ALLOWED}`,
    );
  }
}

function parsed(text: string, place: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const [, at] = /at position (\d+)/.exec((error as Error).message) ?? []; // which Node tells of long texts only
    const where = at === undefined ? '' : ` at character ${at}`;
    throw new ResilienceConfigurationError(place, `is no JSON${where}; ${ALLOWED}`);
  }
}

function inFile(path: string): string {
  const shown = maskSecrets(path);
  return `${VARIABLE} (${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown})`;
}
