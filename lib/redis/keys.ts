import { createHash } from 'node:crypto';

/** Of the form of keys and messages: releases with another one go their own way, beside each other. */
export const VERSION = 1;

/** A longer name is told by its digest. */
const MAX_LENGTH = 100;

/**
 * The keys and channels of a namespace. Its tag in braces decides the slot of a cluster, so that all its keys
 * are on one node: the one that heartbeats reach. No name reads like the end of another part of the key.
 */
export class Keys {
  private readonly prefix: string;

  constructor(namespace: string) {
    this.prefix = `bulwark:${VERSION}:{${escaped(namespace)}}`;
  }

  of(kind: string, name: string, part: string): string {
    return `${this.prefix}:${kind}:${escaped(name)}:${part}`;
  }

  /** Redis has the same channels for all its databases. */
  channel(database: number): string {
    return `${this.prefix}:${database}`;
  }

  /** That which one instance alone listens to. */
  channelOf(instance: string, database: number): string {
    return `${this.channel(database)}:${escaped(instance)}`;
  }
}

/** Letters, digits and a few signs stay as they are; each other code unit is told by its number. */
function escaped(name: string): string {
  const text = name.replace(
    /[^\w.\-/@]/g,
    (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (text.length <= MAX_LENGTH) return text;
  return `~${createHash('sha256').update(text).digest('hex')}`;
}
