import type { MetricTags } from '../index.js';

/** What stands for label values that came too late to get a series of their own. */
export const OTHER = '__other__';

const MAX_LENGTH = 128;

export type Labels = Record<string, string>;

/** The values of one label, in whatever metric: the first so many stand for themselves. */
class LabelValues {
  private readonly known = new Map<string, string>();
  /** So many series have each. */
  private readonly uses = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** `undefined` where it has none. */
  find(given: string): string | undefined {
    return this.known.get(shortened(given));
  }

  of(given: string): string {
    const value = shortened(given);
    const known = this.known.get(value);
    if (known !== undefined) return known;
    if (this.known.size >= this.max) return OTHER;
    const label = wellFormed(value);
    this.known.set(value, label);
    return label;
  }

  /** A series begins that has this one, or ends: what none has any more makes room for another. */
  use(label: string, by: 1 | -1): void {
    const uses = (this.uses.get(label) ?? 0) + by;
    if (uses > 0) {
      this.uses.set(label, uses);
      return;
    }
    this.uses.delete(label);
    if (this.known.delete(label)) return;
    for (const [value, known] of this.known) if (known === label) this.known.delete(value);
  }
}

/** All labels of an exporter. They are shared, so that an operation is itself in every metric or in none. */
export class LabelSpace {
  private readonly byLabel = new Map<string, LabelValues>();

  constructor(readonly maxValues: number) {}

  valueOf(label: string, value: string): string {
    return this.of(label).of(value);
  }

  /** The same where it is known already. */
  find(label: string, value: string): string | undefined {
    return this.of(label).find(value);
  }

  /** A series with these labels begins, or ends. */
  use(labels: Labels, by: 1 | -1): void {
    for (const [label, value] of Object.entries(labels))
      if (value !== OTHER) this.of(label).use(value, by);
  }

  private of(label: string): LabelValues {
    let values = this.byLabel.get(label);
    if (values === undefined) {
      values = new LabelValues(this.maxValues);
      this.byLabel.set(label, values);
    }
    return values;
  }
}

/** With all four outcomes of as many operations as there may be, nothing has to be given up. */
const SERIES_PER_VALUE = 5;

/**
 * Turns tags into the constant set of labels of one metric, and bounds its series.
 *
 * Labels multiply: a thousand error types of a thousand operations are a million series. So where a
 * metric has too many, new ones give up their last label first, and the operation never: the sums by
 * operation stay right.
 */
export class MetricLabels {
  private readonly series = new Map<string, Labels>();
  /** The library hands in the same tags object again and again. */
  private readonly shortcuts = new WeakMap<MetricTags, Labels>();

  constructor(
    private readonly names: readonly string[],
    private readonly space: LabelSpace,
    /** Told of every series, before it gets its first value. */
    private readonly begins: (labels: Labels) => void,
  ) {}

  of(tags: MetricTags): Labels {
    const shortcut = this.shortcuts.get(tags);
    if (shortcut !== undefined) return shortcut;
    const labels = this.admit(
      this.names.map((name) => this.space.valueOf(name, String(tags[name] ?? ''))),
    );
    this.shortcuts.set(tags, labels);
    return labels;
  }

  /** @returns the labels of a series that is no more; `undefined` where there was none of its own */
  forget(tags: MetricTags): Labels | undefined {
    this.shortcuts.delete(tags);
    const values = this.names.map((name) => this.space.find(name, String(tags[name] ?? '')));
    const key = JSON.stringify(values);
    const labels = this.series.get(key);
    if (labels === undefined) return undefined;
    this.series.delete(key);
    this.space.use(labels, -1);
    return labels;
  }

  private admit(values: string[]): Labels {
    for (let kept = values.length; kept > 1; kept--) {
      values.fill(OTHER, kept);
      const room = this.space.maxValues * SERIES_PER_VALUE * (values.length - kept + 1);
      const labels = this.enter(values, room);
      if (labels !== undefined) return labels;
    }
    values.fill(OTHER, 1);
    return this.enter(values, Number.POSITIVE_INFINITY) as Labels;
  }

  /** @returns the labels of the series, always the same object; `undefined` where there is no room for it */
  private enter(values: string[], room: number): Labels | undefined {
    const key = JSON.stringify(values);
    const known = this.series.get(key);
    if (known !== undefined || this.series.size >= room) return known;
    const labels = this.named(values);
    this.series.set(key, labels);
    this.space.use(labels, 1);
    this.begins(labels);
    return labels;
  }

  private named(values: string[]): Labels {
    return Object.fromEntries(this.names.map((name, index) => [name, values[index] as string]));
  }
}

function shortened(value: string): string {
  return value.length > MAX_LENGTH ? `${value.slice(0, MAX_LENGTH - 1)}…` : value;
}

/** Halves of surrogate pairs would all become the same character on the wire, and clash there. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
