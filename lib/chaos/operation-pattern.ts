/** Tells which operations a pattern means: a text in which `*` stands for anything, or a RegExp. */
export function matcherOf(pattern: string | RegExp): (operation: string) => boolean {
  if (typeof pattern === 'string') return (operation) => matchesText(pattern, operation);
  // With these flags it would go on where it stopped the last time.
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  return (operation) => stateless.test(operation);
}

/** By no RegExp: a pattern may come from a stranger, who could make one that takes for ever. */
function matchesText(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
