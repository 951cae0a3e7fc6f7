import { isSecretName } from './secret-names.js';

/** What stands in the place of a secret. */
export const MASK = '[redacted]';

// The expressions below take linear time: each part of them is bounded, or ends what it begins.

/** One of these is in every text that has a secret in it. */
const SUSPICIOUS =
  /[=:@]|eyJ|[rs]k[-_]|gh[a-z]_|github_pat_|glpat-|xox|xapp-|A[KS]IA|AIza|ya29|npm_|hv[sb]\.|whsec_|dop_|SG\.|hooks\.|bearer|basic|-BEGIN/i;

/** Tokens that can be told by their shape: JWTs, and those of widely used providers. */
const TOKENS = new RegExp(
  [
    '(?<![A-Za-z0-9])eyJ[\\w-]{10,}(?:\\.[\\w-]*){0,4}', // JWT
    '(?<![A-Za-z0-9])(?:sk|rk)[-_][\\w-]{8,}', // Stripe, OpenAI and others
    '(?<![A-Za-z0-9])(?:gh[a-z]|github_pat|npm|dop_v1)_\\w{10,}',
    '(?<![A-Za-z0-9])(?:whsec_[\\w+/=-]{10,}|hv[sb]\\.[\\w-]{10,})', // signed webhooks, Vault
    '(?<![A-Za-z0-9])(?:glpat|xapp|xox[a-z])-[\\w-]{8,}', // GitLab, Slack
    '(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}', // AWS
    '(?<![A-Za-z0-9])(?:AIza[\\w-]{20,}|ya29\\.[\\w-]+)', // Google
    '(?<![A-Za-z0-9])SG\\.[\\w-]{10,}(?:\\.[\\w-]*)?', // SendGrid
    '(?<=hooks\\.slack\\.com/)[\\w/-]+',
    '-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)',
  ].join('|'),
  'g',
);

/** Credentials of HTTP's schemes. Words that follow the scheme in prose are none. */
const SCHEMES = [
  /(?<=\bbearer(?:\s|%20){1,4})(?!(?:auth\w{0,20}|tokens?|schemes?|realm|error|is|was|not|and|or)\b)[\w.~+/=-]+/gi,
  /(?<=\b[Bb](?:asic|ASIC)\s{1,4})(?=[a-z0-9+/]{0,500}[A-Z0-9=])[A-Za-z0-9+/]{4,}={0,2}/g,
];

/** What stands before the host of a URL; a password may have a slash in it that nobody encoded. */
const URL_CREDENTIALS =
  /(?<=:\/\/)(?:[^\s/?#"'<>]{0,500}|[^\s/:@"'<>]{0,200}:(?!\d{1,5}[/?#])[^\s@"'<>]{0,200})(?:@|…$)/g;

/** A name and what gives it a value, as in queries, headers, JSON and connection strings. */
const NAME = /(?<![\w.-])([A-Za-z][\w.-]{0,99})\]?\\?["']?\s{0,2}(=>?|:)\s{0,2}\\?/g;
const VALUE = /"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[^\s"'&;,)}\]]+/y;
const WHOLE_HEADER = /[^\r\n"']+/y;
const HEADER = /(?:cookie|authori[sz]ation)$/i;
/** What follows a colon in prose (`token: expired`), and what is no secret. */
const PROSE = /^(?:[A-Za-z]?[a-z]*[.!?]?|\[redacted)$/;
const NOTHING = /^["']?(?:true|false|null|undefined|\[redacted.*)?["']?$/;

/**
 * Masks what is a secret by its place (credentials of URLs, values of secret names) or by its shape
 * (tokens). It takes linear time; who calls it has bounded the text.
 */
export function maskSecrets(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  let masked = text.replace(TOKENS, MASK);
  for (const scheme of SCHEMES) masked = masked.replace(scheme, MASK);
  return maskValues(masked.replace(URL_CREDENTIALS, `${MASK}@`));
}

function maskValues(text: string): string {
  let masked = '';
  let from = 0;
  NAME.lastIndex = 0;
  for (let found = NAME.exec(text); found !== null; found = NAME.exec(text)) {
    const [, name = '', gives] = found;
    if (!isSecretName(name)) continue;
    const start = NAME.lastIndex;
    const value = valueAt(text, start, gives === ':' && HEADER.test(name));
    if (value === '' || NOTHING.test(value) || (gives === ':' && PROSE.test(value))) continue;
    const quote = /^["']/.exec(value)?.[0] ?? '';
    masked += `${text.slice(from, start)}${quote}${MASK}${quote}`;
    from = start + value.length;
    NAME.lastIndex = from;
  }
  return from === 0 ? text : masked + text.slice(from);
}

function valueAt(text: string, start: number, wholeHeader: boolean): string {
  const quoted = text[start] === '"' || text[start] === "'";
  const shape = wholeHeader && !quoted ? WHOLE_HEADER : VALUE;
  shape.lastIndex = start;
  return shape.exec(text)?.[0] ?? '';
}
