import type { Observable, Unsubscribable } from 'rxjs';
import { describeError } from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';
import type { Orders } from '../fleet/orders.js';
import type { Order } from '../fleet/shared-register.js';
import type { OverridesLog } from '../observability/overrides-log.js';
import { overridesOf, SETTINGS, settingsOf } from '../overrides/fleet-settings.js';
import { OverrideRules, type SaidOverrides, withoutNull } from '../overrides/override-rules.js';
import { type OverrideSource, OverridesInForce } from '../overrides/overrides-in-force.js';
import type { NamedPolicy } from '../stage/named-instances.js';
import { Agreement } from './agreement.js';
import type { LiveShedding } from './live-shedding.js';
import type { Operation } from './operation.js';
import { checkReach } from './override-reach.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { type Proposal, Proposals } from './proposals.js';
import { Replanning } from './replanning.js';

/** Where overrides come from, the lowest first. */
const SOURCES = ['overrides', 'environment', 'changes', 'run time', 'test'] as const;

export type SourceName = (typeof SOURCES)[number];

/**
 * The options of an application that can change while it runs. What is said is checked as a whole, on all that
 * it would come to, before anything of it is applied.
 */
export class LiveOptions {
  private readonly rules: OverrideRules;
  private readonly sources = new Map<SourceName, OverrideSource>();
  /** Orders that could not be obeyed: what they are about may come later. By their name. */
  private readonly pending = new Map<string, Order>();
  /** Orders whose refusal was logged already, each with its generation. */
  private readonly told = new Set<string>();
  /** All classes are known that are there at boot. */
  private isBooted = false;
  private readonly replanning = new Replanning();
  private readonly guard = new Guard('change() of a stage, when it was told to take back');
  private readonly agreement: Agreement;
  private readonly proposals: Proposals;
  inForce = OverridesInForce.NONE;

  /** @param operations those that there are */
  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly operations: () => readonly Operation[],
    private readonly log: OverridesLog,
    shedding: LiveShedding,
    orders: Orders | undefined,
  ) {
    this.rules = new OverrideRules(catalog.stages);
    this.agreement = new Agreement(log);
    this.proposals = new Proposals(catalog, operations, shedding, this.agreement);
    orders?.on(SETTINGS, {
      knows: () => true, // what it says is looked at by what there is to override
      obey: (name, order) => this.obey(name, order),
    });
  }

  /**
   * What was said before the application starts. Names are looked at when all classes are known.
   *
   * @throws ResilienceConfigurationError
   */
  begin(name: 'overrides' | 'environment', place: string, given: unknown): void {
    this.sources.set(name, { origin: 'override', place, said: this.rules.check(place, given) });
    this.inForce = inForceOf(this.sources);
  }

  /**
   * All classes are known that are there at boot.
   *
   * @throws ResilienceConfigurationError where something is said of what there is not
   */
  booted(): void {
    if (!this.isBooted) {
      this.isBooted = true;
      for (const name of ['overrides', 'environment'] as const) this.checkReach(name);
      try {
        this.checkReach('changes');
      } catch (error) {
        this.sources.delete('changes');
        this.apply(this.proposals.by(inForceOf(this.sources)), inForceOf(this.sources));
        this.log.refused('changes', describeError(error).message);
      }
    }
    this.settle();
  }

  /**
   * Puts overrides onto those that were said at run time before.
   *
   * @param fleet where all instances are told
   * @throws ResilienceConfigurationError, having changed nothing
   */
  reconfigure(place: string, given: unknown, by?: string, fleet?: Orders): void {
    const said = this.rules.check(place, given);
    const before = this.sources.get('run time')?.said ?? {};
    const merged = this.rules.merge(before, said);
    const orders = fleet === undefined ? [] : settingsOf(place, said, before, merged);
    this.put('run time', { origin: 'run time', place, said: merged }, said, by);
    for (const { name, value } of orders) fleet?.give(SETTINGS, name, value, by);
  }

  /** What `changes` says takes the place of what it said before. What is wrong is told, and changes nothing. */
  replace(given: unknown): void {
    const place = 'changes';
    try {
      const said = this.rules.check(place, given);
      this.put('changes', { origin: 'run time', place, said }, said, place);
    } catch (error) {
      this.log.refused(place, describeError(error).message);
    }
  }

  /** What a test says above all else, in the place of what it said before. */
  test(place: string, given: unknown): void {
    const said = this.rules.check(place, given);
    this.put('test', { origin: 'run time', place, said }, said);
  }

  /** Goes by what comes of it. Whatever it does harms nobody. */
  follow(changes: Observable<unknown> | undefined): Unsubscribable | undefined {
    try {
      return changes?.subscribe({
        next: (value) => this.replace(value),
        error: (error: unknown) => this.log.ended({ error }),
        complete: () => this.log.ended(),
      });
    } catch (error) {
      this.log.ended({ error });
      return undefined;
    }
  }

  /** Whether `reconfigure()` would take them as things are. */
  accepts(given: unknown): boolean {
    const place = 'overrides';
    try {
      const said = this.rules.check(place, given);
      const merged = this.rules.merge(this.sources.get('run time')?.said ?? {}, said);
      checkReach(place, said, this.operations(), this.catalog);
      const source: OverrideSource = { origin: 'run time', place, said: merged };
      this.proposals.by(inForceOf(new Map(this.sources).set('run time', source)));
      return true;
    } catch {
      return false;
    }
  }

  /** A new operation has what is in force. */
  adopt({ blueprint, pipeline }: Pick<Operation, 'blueprint' | 'pipeline'>): void {
    if (this.inForce.isEmpty) return;
    const proposal = blueprint.propose(this.inForce);
    this.replanning.replan(pipeline, proposal);
    for (const stage of this.catalog.stages) {
      const own = blueprint.policyOf(stage) as NamedPolicy | undefined;
      if (stage.instances === undefined || own?.name !== blueprint.target.operation) continue;
      for (const { change } of this.proposals.ofStage(stage, this.inForce, own, blueprint.target))
        change.apply();
    }
  }

  /**
   * What has come since is like all else.
   *
   * @throws ResilienceConfigurationError
   */
  settle(): void {
    if (!this.inForce.isEmpty) this.apply(this.proposals.by(this.inForce), this.inForce);
    for (const [name, order] of [...this.pending]) this.obey(name, order);
  }

  /** The application has ended: nothing that is used no more keeps the process alive. */
  ended(): void {
    this.replanning.ended(this.catalog.stages);
  }

  /** @param news what has just been said, whose names are looked at */
  private put(name: SourceName, source: OverrideSource, news: SaidOverrides, by?: string): void {
    const inForce = inForceOf(new Map(this.sources).set(name, source));
    if (this.isBooted) checkReach(source.place, news, this.operations(), this.catalog);
    const proposal = this.proposals.by(inForce);
    const changes = this.isBooted ? this.proposals.changesIn(proposal) : [];
    const [before, sources] = [this.inForce, [...this.sources]];
    this.sources.set(name, source);
    try {
      this.apply(proposal, inForce);
    } catch (error) {
      this.sources.clear();
      for (const [each, said] of sources) this.sources.set(each, said);
      this.undo(before);
      throw error;
    }
    this.log.reconfigured(changes, by);
  }

  private obey(name: string, order: Order): void {
    const place = `the order of the fleet ${SETTINGS}/${name}`;
    this.pending.delete(name);
    try {
      const setting = { name, value: order.value };
      const said = this.rules.check(place, overridesOf(setting));
      const before = this.sources.get('run time')?.said ?? {};
      // The whole of what is said of it: nothing is left of what was said before.
      const without = this.rules.merge(before, overridesOf({ name, value: null }));
      const merged = this.rules.merge(without, said);
      this.put(
        'run time',
        { origin: 'run time', place, said: merged },
        withoutNull(said),
        order.by,
      );
    } catch (error) {
      this.pending.set(name, order);
      const told = `${name} ${order.generation}`;
      if (!this.isBooted || this.told.has(told)) return;
      this.told.add(told);
      this.log.refused(order.by, describeError(error).message);
    }
  }

  private checkReach(name: SourceName): void {
    const source = this.sources.get(name);
    if (source !== undefined)
      checkReach(source.place, source.said, this.operations(), this.catalog);
  }

  /** Where a change() reconfigures the application itself, what comes of that is newer than all that is left. */
  private apply({ instances, operations }: Proposal, inForce: OverridesInForce): void {
    this.inForce = inForce;
    for (const { change } of instances) {
      change.apply();
      if (this.inForce !== inForce) return;
    }
    for (const { operation, proposal } of operations)
      this.replanning.replan(operation.pipeline, proposal);
    if (this.isBooted) this.agreement.reached(inForce);
  }

  /** What an application's own stage refuses, nobody else goes by either. */
  private undo(before: OverridesInForce): void {
    const { instances, operations } = this.proposals.by(before);
    const guarded = instances.map(({ stage, change }) => ({
      stage,
      change: { ...change, apply: () => this.guard.run(() => change.apply()) },
    }));
    this.apply({ instances: guarded, operations }, before);
  }
}

function inForceOf(sources: ReadonlyMap<SourceName, OverrideSource>): OverridesInForce {
  const all = SOURCES.flatMap((name) => sources.get(name) ?? []);
  return new OverridesInForce(all.filter(({ said }) => Object.keys(said).length > 0));
}
