const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Control characters but tabs and ends of lines, and what turns the direction of writing around. */
const INVISIBLE = /(?![\t\n])\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** What rings everybody at receivers that take Slack's format and have mentions of their own. */
const EVERYBODY = /@(?=(?:everyone|here|channel|all)\b)/gi;

/** Slack cuts what is longer than 40,000, and advises 4,000. */
const MAX_TEXT = 4_000;

/**
 * A text as Slack shows it: what came with an error is neither a link, nor a mention, nor a line that
 * hides another. By Slack's rules `&`, `<` and `>` are escaped, which is all the markup there is.
 */
export function chatText(text: string): string {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
  return cut
    .replace(INVISIBLE, ' ')
    .replace(/[&<>]/g, (character) => ENTITIES[character] as string)
    .replace(EVERYBODY, '@\u200b'); // a space without width
}
