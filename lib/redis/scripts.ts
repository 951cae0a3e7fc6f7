import { createHash } from 'node:crypto';
import type { Script } from './store.js';

/** A script as Redis gets it: by the digest that it may know it by, and in full where it does not. */
export interface SentScript {
  readonly sha: string;
  readonly lua: string;
}

/** No instance writes a time that is so far ahead, in ms: a year. */
export const TOO_FAR_MS = 31_536_000_000;

/**
 * What all scripts begin with. Who asks waits no longer than `ARGV[1]`, in Redis' time: what arrives later,
 * as from a Redis that was stopped, is of a time that is over.
 */
const PROLOGUE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tooLate = now + ${TOO_FAR_MS}
if now > tonumber(ARGV[1]) then return {-1, now} end
`;

const sent = new WeakMap<Script, SentScript>();

/** The script with its prologue, and the digest of both. */
export function sentAs(script: Script): SentScript {
  const before = sent.get(script);
  if (before !== undefined) return before;
  const lua = PROLOGUE + script.lua;
  const made = { lua, sha: createHash('sha1').update(lua).digest('hex') };
  sent.set(script, made);
  return made;
}
