import type { RequestCriticality } from '../../lib/shedding/overloaded.error.js';
import { ShedLevel } from '../../lib/shedding/shed-level.js';
import { TurnBudget } from '../../lib/shedding/turn-budget.js';

const LIMIT_MS = 50;
const SERVED_MS = 2;
const REFUSED_MS = 0.05;
/** Of twenty, three are critical, twelve normal and five sheddable. */
const MIX = Array.from({ length: 20 }, (_, i): RequestCriticality => {
  if (i % 7 === 0) return 'critical';
  return i % 4 === 1 ? 'sheddable' : 'normal';
});

interface Counts {
  came: number;
  refused: number;
}

/**
 * An event loop whose turns each take what came during the one before: what is served takes 2 ms of it, at once
 * or in the next turn, what is refused a fortieth of that.
 */
class EventLoop {
  private readonly level = new ShedLevel();
  private readonly turn = new TurnBudget();
  private sent = 0;
  private due = 0;
  private at = 0;
  private counts = this.none();
  private worstMs = 0;
  private served = 0;
  private left = 0;

  constructor(private readonly works: 'at once' | 'later') {}

  /** @param load offered, as a multiple of what can be served */
  run(load: number, seconds: number) {
    this.counts = this.none();
    this.served = 0;
    this.worstMs = 0;
    const from = this.at;
    let turnMs = 10;
    while (this.at < from + seconds * 1_000) {
      this.due += (turnMs * load) / SERVED_MS;
      turnMs = Math.max(10, this.serve());
      const late = (turnMs - 10) / LIMIT_MS;
      this.level.measured(late, turnMs);
      this.turn.ended(late, turnMs, LIMIT_MS);
      this.at += turnMs;
      this.worstMs = Math.max(this.worstMs, turnMs);
    }
    const { counts, worstMs, served } = this;
    return { counts, worstMs, used: (served * SERVED_MS) / (this.at - from) };
  }

  get isRaised(): boolean {
    return this.level.isRaised;
  }

  /** @returns how long a turn takes */
  private serve(): number {
    let workMs = 0;
    const finish = () => {
      workMs += SERVED_MS;
      this.served++;
      this.turn.left();
    };
    for (; this.left > 0; this.left--) finish();
    const beganMs = workMs;
    for (; this.due >= 1; this.due--) {
      // The timer has just rung where the work of before is that of timers.
      if (!this.takes(MIX[this.sent++ % MIX.length], (workMs - beganMs - 10) / LIMIT_MS))
        workMs += REFUSED_MS;
      else if (this.works === 'at once') finish();
      else this.left++;
    }
    return workMs;
  }

  private takes(criticality: RequestCriticality = 'normal', late: number): boolean {
    const count = this.counts[criticality];
    count.came++;
    if (this.turn.refuses(criticality, late) || this.level.refuses(criticality)) {
      count.refused++;
      return false;
    }
    this.turn.entered();
    return true;
  }

  private none(): Record<RequestCriticality, Counts> {
    const none = () => ({ came: 0, refused: 0 });
    return { sheddable: none(), normal: none(), critical: none() };
  }
}

const share = ({ came, refused }: Counts) => refused / came;

describe.each(['at once', 'later'] as const)(
  'What is refused for a late event loop that works %s',
  (works) => {
    it('is nothing while the server keeps up', () => {
      const { counts } = new EventLoop(works).run(0.8, 10);
      expect(Object.values(counts).map(share)).toEqual([0, 0, 0]);
    });

    it('is sheddable first, then normal, and nothing critical, at three times what can be served', () => {
      const loop = new EventLoop(works);
      const first = loop.run(3, 5);
      expect(share(first.counts.critical)).toBe(0);
      expect(first.worstMs).toBeLessThan(4 * LIMIT_MS);
      const { counts, worstMs, used } = loop.run(3, 30);
      expect(share(counts.critical)).toBe(0);
      expect(share(counts.sheddable)).toBe(1);
      expect(share(counts.normal)).toBeGreaterThan(0.6);
      expect(share(counts.normal)).toBeLessThan(0.8); // they get what is left
      expect(used).toBeGreaterThan(0.9); // it does not swing between nothing and too much
      expect(worstMs).toBeLessThan(2 * LIMIT_MS);
    });

    it('is sheddable only, where that is enough', () => {
      const loop = new EventLoop(works);
      loop.run(1.2, 10);
      const { counts, used } = loop.run(1.2, 30);
      expect(share(counts.critical)).toBe(0);
      expect(share(counts.normal)).toBeLessThan(0.01);
      expect(share(counts.sheddable)).toBeLessThan(0.8);
      expect(used).toBeGreaterThan(0.95);
    });

    it('is critical too, where these alone are too many', () => {
      const loop = new EventLoop(works);
      const { counts, worstMs } = loop.run(10, 30);
      expect(share(counts.critical)).toBeLessThan(0.7);
      expect(share(counts.critical)).toBeGreaterThan(0.3);
      expect(share(counts.normal)).toBeGreaterThan(0.99);
      expect(worstMs).toBeLessThan(6 * LIMIT_MS);
    });

    it('is nothing again soon after the overload', () => {
      const loop = new EventLoop(works);
      loop.run(3, 30);
      loop.run(0.7, 5);
      expect(loop.isRaised).toBe(false);
      expect(Object.values(loop.run(0.7, 5).counts).map(share)).toEqual([0, 0, 0]);
    });

    it('is next to nothing for one long pause, as of the garbage collector', () => {
      const level = new ShedLevel();
      level.measured(2, 110);
      const refused = MIX.filter((criticality) => level.refuses(criticality));
      expect(refused.length).toBeLessThan(2);
    });
  },
);
