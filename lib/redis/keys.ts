import { createHash } from 'node:crypto';

/** Of the form of the keys and the messages. Other releases may use another one beside it. */
export const VERSION = 1;

/** A longer name is told by its digest. */
const MAX_LENGTH = 100;

/** The keys and the channel of a namespace. No name can be written so that its key is another's. */
export class Keys {
  private readonly namespace: string;

  constructor(namespace: string) {
    this.namespace = escaped(namespace);
  }

  get channel(): string {
    return `bulwark:${VERSION}:{${this.namespace}}`;
  }

  /** What stands in braces decides the slot of a cluster. */
  of(kind: string, name: string, part: string): string {
    return `bulwark:${VERSION}:{${this.namespace}:${kind}:${escaped(name)}}:${part}`;
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
