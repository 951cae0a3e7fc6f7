import { spawn } from 'node:child_process';

const TIMEOUT_MS = 300_000;

/** What `npm run` of this repository sets for its own Node is nothing that a consumer has. */
const { NODE_OPTIONS: _, npm_config_node_options: __, ...INHERITED } = process.env;
const ENVIRONMENT = { ...INHERITED, NO_COLOR: '1' };

/**
 * Runs a command to its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<string>} what it wrote
 */
export async function run(command, args, cwd) {
  const child = start(command, args, cwd);
  const ending = await child.ended;
  if (ending === 'exit 0') return child.output();
  throw new Error(`${command} ${args.join(' ')}: ${ending}\n${child.output()}`);
}

/**
 * Starts a command. It is killed when it takes too long.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 */
export function start(command, args, cwd) {
  const child = spawn(command, args, {
    cwd,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  return {
    ended,
    output: () => output,
    /**
     * Waits until the output says something.
     *
     * @param {RegExp} pattern
     * @returns {Promise<string>} its first group
     */
    async says(pattern) {
      const said = new Promise((resolve) => {
        const look = () => {
          const found = pattern.exec(output);
          if (found) resolve(found[1]);
        };
        listeners.add(look);
        look();
      });
      const first = await Promise.race([said, ended.then(() => undefined)]);
      if (first !== undefined) return first;
      throw new Error(`It ended (${await ended}) without saying ${pattern}`);
    },
    async stop() {
      child.kill();
      await ended;
    },
  };
}
