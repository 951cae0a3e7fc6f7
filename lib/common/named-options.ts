import {
  comesTooLate,
  type NamingWords,
  ResilienceConfigurationError,
  unregistered,
} from './configuration.error.js';

/** What one of the module's options gives names to, which others refer to. */
export class NamedOptions<T> {
  private readonly entries = new Map<string, T>();
  /** What nobody had given when it was named, as a test may have it, and where it was. */
  private readonly madeUp = new Map<string, string>();

  /**
   * @param kind for messages: `service`
   * @param section the module's option: `services`
   * @param words what messages say to write
   * @param unregistered what a name stands for that nobody has given; without it, that is a mistake
   */
  constructor(
    private readonly kind: string,
    private readonly section: string,
    private readonly words?: NamingWords,
    private readonly unregistered?: T,
  ) {}

  names(): Iterable<string> {
    return this.entries.keys();
  }

  /** @throws ResilienceConfigurationError where a name is taken, or was named before in vain */
  add(entries: Readonly<Record<string, T>> | undefined): void {
    for (const [name, entry] of Object.entries(entries ?? {})) {
      const place = `${this.section}.${name}`;
      if (this.entries.has(name))
        throw new ResilienceConfigurationError(
          place,
          'is registered already; allowed: a name of its own',
        );
      const namedIn = this.madeUp.get(name);
      if (namedIn !== undefined)
        throw new ResilienceConfigurationError(place, comesTooLate(this.kind, name, namedIn));
      this.entries.set(name, entry);
    }
  }

  /** @param place where it is named */
  get(name: string, place: string): T | undefined {
    const entry = this.entries.get(name);
    if (entry !== undefined || this.unregistered === undefined) return entry;
    this.madeUp.set(name, place);
    return this.unregistered;
  }

  /** @throws ResilienceConfigurationError on an unknown name, listing the known ones */
  find(name: string, place: string): T {
    const entry = this.get(name, place);
    if (entry !== undefined) return entry;
    throw new ResilienceConfigurationError(
      place,
      unregistered(this.kind, name, this.entries.keys(), this.section, this.words),
    );
  }
}
