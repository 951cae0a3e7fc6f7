import { setFlagsFromString } from 'node:v8';

/**
 * V8 remembers by its source what it has compiled, and never finds a module there, as each is loaded in a
 * name of its own: with each file of tests, the search gets longer, and what the files before it have loaded
 * is kept. So a worker of tests remembers nothing.
 */
setFlagsFromString('--no-compilation-cache');
