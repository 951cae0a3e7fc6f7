import { parsePrometheusText, sum } from './prometheus-text.js';

const counter = (...lines: string[]) =>
  `# HELP a_total Help.\n# TYPE a_total counter\n${lines.map((line) => `${line}\n`).join('')}`;
const histogram = (...lines: string[]) =>
  `# HELP h Help.\n# TYPE h histogram\n${lines.map((line) => `${line}\n`).join('')}`;

describe('The parser of Prometheus’ text format', () => {
  it('reads names, labels with their escapes, and values', () => {
    const text = counter('a_total{b="x\\"y\\\\n\\n}",c=""} 1.5', 'a_total{b="z",c=""} 2e3');
    const families = parsePrometheusText(text);
    expect(families.get('a_total')).toEqual({
      name: 'a_total',
      type: 'counter',
      help: 'Help.',
      samples: [
        { name: 'a_total', labels: { b: 'x"y\\n\n}', c: '' }, value: 1.5 },
        { name: 'a_total', labels: { b: 'z', c: '' }, value: 2_000 },
      ],
    });
    expect(sum(families, 'a_total', { c: '' })).toBe(2_001.5);
  });

  it.each([
    ['no newline at the end', counter('a_total 1').slice(0, -1)],
    ['a sample without HELP and TYPE', 'b_total 1\n'],
    ['a sample of another metric', counter('b_total 1')],
    ['a series twice', counter('a_total{b="1",c="2"} 1', 'a_total{c="2",b="1"} 1')],
    ['a label twice', counter('a_total{b="1",b="2"} 1')],
    ['an open quote', counter('a_total{b="1} 1')],
    ['a wrong escape', counter('a_total{b="\\x"} 1')],
    ['no value', counter('a_total')],
    ['a value that is no number', counter('a_total one')],
    ['a value with two points', '# HELP a Help.\n# TYPE a gauge\na 1.2.3\n'],
    ['prom-client’s Nan', counter('a_total Nan')],
    ['a negative counter', counter('a_total -1')],
    ['a counter without _total', '# HELP a Help.\n# TYPE a counter\na 1\n'],
    ['a TYPE after its samples', `${counter('a_total 1')}# TYPE a_total counter\n`],
    ['a metric in two places', counter('a_total 1') + counter('a_total{b="1"} 1')],
    ['an unknown TYPE', '# HELP a Help.\n# TYPE a count\n'],
    [
      'buckets that fall',
      histogram('h_bucket{le="1"} 2', 'h_bucket{le="+Inf"} 1', 'h_sum 1', 'h_count 1'),
    ],
    [
      'bounds out of order',
      histogram(
        'h_bucket{le="2"} 0',
        'h_bucket{le="1"} 0',
        'h_bucket{le="+Inf"} 1',
        'h_sum 1',
        'h_count 1',
      ),
    ],
    ['no last bucket', histogram('h_bucket{le="1"} 1', 'h_sum 1', 'h_count 1')],
    [
      'a count that is not the last bucket',
      histogram('h_bucket{le="+Inf"} 1', 'h_sum 1', 'h_count 2'),
    ],
    ['no sum', histogram('h_bucket{le="+Inf"} 1', 'h_count 1')],
    ['no count', histogram('h_bucket{le="+Inf"} 1', 'h_sum 1')],
  ])('refuses %s', (_, text) => {
    expect(() => parsePrometheusText(text)).toThrow();
  });
});
