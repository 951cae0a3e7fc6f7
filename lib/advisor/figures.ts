/** Upwards to three figures: more say nothing. */
export function roundUp(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 2);
  return Math.ceil(value / unit) * unit;
}

export function percent(share: number): string {
  return `${toThree(100 * share)} %`;
}

/** A time. */
export function inWords(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}

/** To three figures. */
export function toThree(value: number): number {
  return Number(value.toPrecision(3));
}
