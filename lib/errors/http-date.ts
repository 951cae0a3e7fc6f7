const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';

/** The three forms of a date that a recipient has to understand (RFC 9110 §5.6.7). */
const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT`,
  // Sunday, 06-Nov-94 08:49:37 GMT
  `(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT`,
  // Sun Nov  6 08:49:37 1994
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/** Milliseconds of the wall clock; `undefined` for what is no date of HTTP. */
export function parseHttpDate(text: string, nowMs = Date.now()): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return instantOf(parts, nowMs);
  }
  return undefined;
}

function instantOf(parts: Record<string, string>, nowMs: number): number | undefined {
  const day = Number(parts.day);
  const month = MONTHS.indexOf(parts.month as string);
  const date = new Date(0);
  date.setUTCFullYear(yearOf(parts.year as string, nowMs), month, day);
  if (date.getUTCMonth() !== month) return undefined; // the 31st of June
  return date.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
}

/** A year of two digits that seems to be more than 50 years ahead is that of the century before. */
function yearOf(text: string, nowMs: number): number {
  if (text.length === 4) return Number(text);
  const current = new Date(nowMs).getUTCFullYear();
  const year = current - (current % 100) + Number(text);
  return year > current + 50 ? year - 100 : year;
}
