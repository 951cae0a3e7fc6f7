/** One line of a scrape. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A metric of a scrape: of a histogram, with the samples of its buckets, sum and count. */
export interface Family {
  name: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
  help: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const TYPES: readonly string[] = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

/**
 * Parses Prometheus' text format 0.0.4 and refuses what Prometheus or `promtool check metrics` would:
 * a missing newline at the end, samples without or apart from their TYPE and HELP, a series or a label
 * twice, wrong escapes, counters below 0 or not in `_total`, histograms that do not add up.
 */
export function parsePrometheusText(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: Family | undefined;
  const fail = (problem: string, line: string): never => {
    throw new Error(`${problem}: ${line}`);
  };
  if (!text.endsWith('\n')) fail('the last line does not end', text.slice(-80));
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] =
      /^# (HELP|TYPE) (\S+)(?: (.*))?$/.exec(line) ?? ([] as string[]);
    if (keyword === 'HELP') {
      if (families.has(name)) fail('a second HELP', line);
      if (!NAME.test(name) || rest === '') fail('not a HELP', line);
      current = { name, type: 'untyped', help: unescaped(rest, line), samples: [] };
      families.set(name, current);
    } else if (keyword === 'TYPE') {
      if (current?.name !== name || current.samples.length > 0) fail('a TYPE out of place', line);
      if (!TYPES.includes(rest)) fail('an unknown TYPE', line);
      (current as Family).type = rest as Family['type'];
    } else if (line.startsWith('#')) {
      fail('an unexpected comment', line);
    } else {
      const sample = parseSample(line);
      if (current === undefined || !belongs(sample.name, current)) fail('a stray sample', line);
      current?.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

/** Adds up the samples that have these labels, and maybe more. */
export function sum(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  return samplesOf(families, name, labels).reduce((total, { value }) => total + value, 0);
}

export function samplesOf(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): Sample[] {
  const wanted = Object.entries(labels);
  return [...families.values()]
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.name === name)
    .filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value));
}

function belongs(sample: string, { name, type }: Family): boolean {
  if (type === 'histogram')
    return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample);
  return sample === name;
}

/** `name{label="value",…} value`, read from left to right. */
function parseSample(line: string): Sample {
  const bad = () => new Error(`not a sample: ${line}`);
  const [name] = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line) ?? [];
  if (name === undefined) throw bad();
  const labels: Record<string, string> = {};
  let rest = line.slice(name.length);
  if (rest.startsWith('{')) {
    const label = /^[{,]([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/;
    for (let found = label.exec(rest); found !== null; found = label.exec(rest)) {
      const [whole, key, value] = found as unknown as [string, string, string];
      if (Object.hasOwn(labels, key)) throw new Error(`the label ${key} twice: ${line}`);
      labels[key] = unescaped(value, line, '"');
      rest = rest.slice(whole.length);
    }
    if (!rest.startsWith('}')) throw bad();
    rest = rest.slice(1);
  }
  const [, number] = /^ (NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(rest) ?? [];
  if (number === undefined) throw bad();
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

function unescaped(text: string, line: string, more = ''): string {
  return text.replace(/\\(.?)/g, (_, escaped: string) => {
    if (escaped === 'n') return '\n';
    if (escaped !== '\\' && (escaped === '' || !more.includes(escaped))) {
      throw new Error(`a wrong escape: ${line}`);
    }
    return escaped;
  });
}

function checkFamily({ name, type, samples }: Family): void {
  const seen = new Set<string>();
  for (const { name: sample, labels, value } of samples) {
    const series = `${sample}${seriesKey(labels)}`;
    if (seen.has(series)) throw new Error(`a series twice: ${series}`);
    seen.add(series);
    if (type !== 'gauge' && !(value >= 0)) throw new Error(`${series} is ${value}`);
  }
  if (type === 'counter' && !name.endsWith('_total')) {
    throw new Error(`the counter ${name} does not end in _total`);
  }
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: Sample[]): void {
  const bySeries = (kind: string, without?: string) =>
    grouped(
      samples.filter((sample) => sample.name === `${name}_${kind}`),
      ({ labels }) => seriesKey(labels, without),
    );
  const [buckets, sums, counts] = [bySeries('bucket', 'le'), bySeries('sum'), bySeries('count')];
  if (buckets.size !== counts.size || sums.size !== counts.size) {
    throw new Error(`${name} has series without buckets, sum or count`);
  }
  for (const [key, [count]] of counts) {
    const ofSeries = buckets.get(key) ?? [];
    const bounds = ofSeries.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')));
    const values = ofSeries.map(({ value }) => value);
    const ascend =
      bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number)) &&
      values.every((value, index) => index === 0 || value >= (values[index - 1] as number));
    if (!ascend) throw new Error(`the buckets of ${name}${key} do not ascend`);
    if (bounds.at(-1) !== Infinity || values.at(-1) !== count?.value) {
      throw new Error(`the last bucket of ${name}${key} is not its count`);
    }
    if (!sums.has(key)) throw new Error(`${name}${key} has no sum`);
  }
}

function seriesKey(labels: Record<string, string>, without?: string): string {
  return JSON.stringify(
    Object.entries(labels)
      .filter(([label]) => label !== without)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function grouped<T>(items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
