/** Words that say of a key that its value is a secret, whatever stands beside them. */
const SECRET_WORDS = new Set(
  `password passwd pwd passphrase passcode secret token auth authorization authorisation bearer jwt
   cookie credential signature sig sid pin ssn cvv cvc otp totp csrf xsrf`.split(/\s+/),
);
/** Words that say so where they end the key: `dbPass`, but not `passRate`. */
const SECRET_LAST_WORDS = new Set(['pass', 'session']);
/** Words before `key` that make it a secret one. */
const SECRET_KEYS = new Set(
  `api access account auth client consumer decryption encryption hmac license master private
   secret service shared signing ssh storage subscription webhook`.split(/\s+/),
);
/** Of names that are written as one word: `accesstoken`, `PHPSESSID`. */
const SECRET_ENDING =
  /(?:passw(?:or)?d|passphrase|passcode|secret|token|cookie|credential|authori[sz]ation|sess(?:ion)?id|(?:api|private|access|secret)key)$/;

/** `XAuthToken2` is x, auth, token, 2. */
const WORDS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g;
/** What is longer is no name. */
const MAX_NAME = 100;

/**
 * Whether what has this name (a key of metadata, a header, a query parameter) is a secret. Whole words
 * are looked at, so that an `author`, a `compass` and what is `pinned` are not.
 */
export function isSecretName(name: string): boolean {
  if (name.length > MAX_NAME) return false;
  const words = (name.match(WORDS) ?? []).map((word) => singular(word.toLowerCase()));
  return words.some((word, index) => {
    if (SECRET_WORDS.has(word) || SECRET_ENDING.test(word)) return true;
    const before = words[index - 1] ?? '';
    if (word === 'key') return SECRET_KEYS.has(before);
    if (word === 'id') return before === 'session';
    return index === words.length - 1 && SECRET_LAST_WORDS.has(word);
  });
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}
