import type { Advice } from './advice.js';
import { shareBetween } from './binomial.js';
import { ofOperation } from './placed.js';
import type { Summary } from './summary.js';

/** Fewer failed calls say too little. */
const MINIMUM_FAILURES = 50;
/** A fallback surely answers fewer than this share of the calls that it is asked for. */
const VAIN_SHARE = 0.05;

/**
 * A fallback that surely answers fewer than one in twenty of the calls for which it is asked only makes them
 * take longer. One that was never asked, though 50 calls have failed, is for other failures than there are: that is for
 * who wrote it to look at.
 */
export function adviseFallback(summary: Summary): Advice[] {
  const { operation, stages, failedCalls, fallbacksUsed, fallbacksFailed } = summary;
  if (stages.fallback === undefined || failedCalls < MINIMUM_FAILURES) return [];
  const asked = fallbacksUsed + fallbacksFailed;
  const advice: Omit<Advice, 'proposed' | 'because' | 'overrides'> = {
    kind: 'fallback',
    option: 'fallback.enabled',
    current: true,
    figures: { failedCalls, fallbacksUsed, fallbacksFailed },
  };
  if (asked === 0)
    return [
      {
        ...advice,
        proposed: undefined,
        because: `${failedCalls} calls have failed, and it was asked for none of them: its condition (when) is for other failures than there are`,
        overrides: {},
      },
    ];
  if (asked < MINIMUM_FAILURES || shareBetween(fallbacksUsed, asked)[1] >= VAIN_SHARE) return [];
  return [
    {
      ...advice,
      proposed: false,
      because: `It was asked for ${asked} failed calls and failed itself for ${fallbacksFailed} of them`,
      ...ofOperation(operation, 'fallback.enabled', false),
    },
  ];
}
