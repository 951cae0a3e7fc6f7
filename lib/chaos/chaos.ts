import { Logger } from '@nestjs/common';
import { now } from '../common/clock.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { MetricsRecorder } from '../common/metrics.js';
import { Guard } from '../errors/guard.js';
import { type ControlScope, ordersFor } from '../fleet/control-scope.js';
import type { Orders } from '../fleet/orders.js';
import { ActiveRule, type ChaosRuleView } from './active-rule.js';
import { type ChaosOptions, checkEnvironment } from './chaos.options.js';
import type { ChaosEvent } from './chaos.telemetry.js';
import { doubtOfPast, doubtsOfTargets, type Targeted } from './chaos-doubts.js';
import { type ChaosRule, checkChaosRule } from './chaos-rule.js';

/** The subject of the order that ends all chaos: `chaos/all`. */
const [KIND, ALL] = ['chaos', 'all'];

/** Where it is told what was injected. */
export interface ChaosReports {
  readonly metrics: Pick<MetricsRecorder, 'increment'>;
  readonly events: { emit(event: ChaosEvent): void };
}

/**
 * The faults that are injected into operations at the moment, which can be changed at any time. Injectable;
 * it does something where the module has the option `chaos`, be it `chaos: {}`.
 */
export class Chaos {
  private readonly logger = new Logger('Chaos');
  private readonly guard = new Guard('random of chaos');
  private rules: readonly ActiveRule[] = [];
  private added = 0;
  /** Those of the options whose end had passed by then. */
  private readonly past: ActiveRule[] = [];
  /** Counts the changes: by it operations know whether the rules that they found are still those in force. @internal */
  version = 0;
  /** The rules of each request that brings chaos along, while it is answered. */
  private readonly ofRequests = new Set<readonly ActiveRule[]>();

  /** @internal */
  constructor(
    /** @internal */
    readonly options: ChaosOptions | undefined,
    private readonly reports: ChaosReports,
    private readonly orders?: Orders,
  ) {
    orders?.on(KIND, {
      knows: (value) => value === null,
      obey: (name, { by, ageMs }) => {
        if (name === ALL) this.stop(ageMs, by);
      },
    });
    for (const each of options?.rules ?? []) {
      const rule = this.made(each, 'chaos.rules');
      if (rule.isOver(now())) this.past.push(rule);
      else this.put(rule);
    }
  }

  /** So many requests that bring chaos along are being answered. @internal */
  get requests(): number {
    return this.ofRequests.size;
  }

  /** Whether any rule is in force. */
  get isOn(): boolean {
    return this.inForce().length > 0;
  }

  /**
   * Begins to inject a fault, into attempts that begin from now on.
   *
   * @returns the id of the rule
   * @throws ResilienceConfigurationError where the rule is wrong or over, its id is taken, the module has no `chaos`,
   * or `NODE_ENV` is `production` and `chaos.allowInProduction` is not set
   *
   * @example chaos.add({ operations: 'PaymentsClient.*', error: true, forMs: 30_000 })
   */
  add(rule: ChaosRule): string {
    const place = 'Chaos.add()';
    const { options } = this;
    if (options === undefined)
      throw new ResilienceConfigurationError(
        place,
        'this application has no chaos; give it, without a rule if there is none yet: ResilienceModule.forRoot({ chaos: {} })',
      );
    checkEnvironment(place, options);
    const added = this.made(checkChaosRule(place, rule), place);
    if (added.isOver(now()))
      throw new ResilienceConfigurationError(
        `${place}.until`,
        `is ${rule.until?.toISOString()}, which has passed; allowed: a Date to come`,
      );
    this.put(added);
    const message = `Chaos is on: ${added.inWords()}`;
    this.logger.warn({ event: 'chaos_on', chaos: true, message, rule: added.id });
    return added.id;
  }

  /**
   * Ends what a rule does: what it makes hang or wait at the moment goes on to its work at once.
   *
   * @returns whether there was such a rule
   */
  remove(id: string): boolean {
    const rule = this.inForce().find((each) => each.id === id);
    if (rule === undefined) return false;
    this.end([rule]);
    return true;
  }

  /** The rules in force, in the order in which they were added. */
  list(): ChaosRuleView[] {
    return this.inForce().map((rule) => rule.view());
  }

  /**
   * Ends all rules, as `remove()` does, and what requests that are being answered have brought along.
   *
   * With `{ fleet: true }` in all instances: those that are not reached end theirs when they are back within a
   * day, except what was added since. Instances that start later with rules of their own keep these.
   *
   * @throws ResilienceConfigurationError with `{ fleet: true }` in an application that has no fleet
   */
  stopAll(scope?: ControlScope): void {
    const orders = ordersFor(scope, this.orders, 'Chaos.stopAll()');
    const by = scope?.by;
    this.stop(0, by);
    orders?.give(KIND, ALL, null, by);
  }

  /** A request brings chaos along. @returns to be called when it was answered: then its rules end @internal */
  enter(rules: readonly ActiveRule[]): () => void {
    this.ofRequests.add(rules);
    return () => {
      this.ofRequests.delete(rules);
      for (const rule of rules) rule.end();
    };
  }

  /** Those for an operation. @internal */
  rulesFor(operation: string, upstream: string | undefined): readonly ActiveRule[] {
    return this.inForce().filter((rule) => rule.matches(operation, upstream));
  }

  /** The first that hits an attempt which begins now. @internal */
  hit(rules: readonly ActiveRule[]): ActiveRule | undefined {
    const at = now();
    if (rules.some((rule) => rule.isOver(at))) this.inForce(at);
    return rules.find((rule) => !rule.isOver(at) && this.hits(rule.rate));
  }

  /** A number from 0 to 1; where the user's own function has none, nothing hits by it. @internal */
  draw(): number {
    const { random } = this.options ?? {};
    if (random === undefined) return Math.random();
    const drawn = this.guard.run(random);
    return typeof drawn === 'number' && drawn >= 0 ? Math.min(drawn, 1) : 1;
  }

  /** A fault was injected. @internal */
  injected(rule: ActiveRule, event: Omit<ChaosEvent, 'type' | 'rule' | 'effect'>): void {
    rule.injected++;
    const { id, effect } = rule;
    const { metrics, events } = this.reports;
    metrics.increment('chaos.injected', { operation: event.operation, effect });
    events.emit({ type: 'chaos', rule: id, effect, ...event });
  }

  /** What the log says when the application has started; nothing where there is nothing to know. @internal */
  inWords(): string | undefined {
    const { options } = this;
    const rules = this.inForce().map((rule) => rule.inWords());
    const header = options?.header;
    if (header !== undefined) rules.push(`what requests ask for by the header ${header.name}`);
    return rules.length === 0 ? undefined : `Chaos is on: ${rules.join('; ')}`;
  }

  /** What was probably not meant. @internal */
  doubts(operations: readonly Targeted[]): string[] {
    return [...this.past.map(doubtOfPast), ...doubtsOfTargets(this.inForce(), operations)];
  }

  /** @param ageMs of what was added less than that ago nobody who said it knew */
  private stop(ageMs = 0, by?: string): void {
    const at = now();
    const isMeant = (rule: ActiveRule) => rule.ageMs(at) >= ageMs;
    for (const rules of this.ofRequests) for (const rule of rules.filter(isMeant)) rule.end();
    const rules = this.inForce(at).filter(isMeant);
    if (rules.length > 0) this.end(rules, by);
  }

  private hits(rate: number): boolean {
    return rate === 1 || (rate > 0 && this.draw() < rate);
  }

  private inForce(at = now()): readonly ActiveRule[] {
    const over = this.rules.filter((rule) => rule.isOver(at));
    if (over.length > 0) this.end(over);
    return this.rules;
  }

  private made(rule: ChaosRule, place: string): ActiveRule {
    const taken = (wanted: string) => this.inForce().some(({ id }) => id === wanted);
    if (rule.id !== undefined && taken(rule.id))
      throw new ResilienceConfigurationError(
        `${place}.id`,
        `is ${display(rule.id)}, as that of another rule; allowed: another one, or remove() that first`,
      );
    let { id } = rule;
    while (id === undefined || (rule.id === undefined && taken(id))) id = `chaos-${++this.added}`;
    return new ActiveRule(id, rule);
  }

  private put(rule: ActiveRule): void {
    this.change([...this.rules, rule]);
  }

  private change(rules: readonly ActiveRule[]): void {
    this.rules = rules;
    this.version++;
  }

  private end(rules: readonly ActiveRule[], by?: string): void {
    this.change(this.rules.filter((rule) => !rules.includes(rule)));
    for (const rule of rules) rule.end();
    const ids = rules.map(({ id }) => id);
    const said = by === undefined ? '' : `; ordered by ${by}`;
    const message = `Chaos has ended: ${ids.join(', ')}${said}`;
    this.logger.warn({
      event: 'chaos_off',
      chaos: true,
      message,
      rules: ids,
      ...(by !== undefined && { by }),
    });
  }
}
