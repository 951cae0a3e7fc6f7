import {
  type NamingWords,
  ResilienceConfigurationError,
  unregistered,
} from './configuration.error.js';

/** What one of the module's options gives names to, which others refer to. */
export class NamedOptions<T> {
  private readonly entries = new Map<string, T>();

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

  /** @throws ResilienceConfigurationError where a name is taken */
  add(entries: Readonly<Record<string, T>> | undefined): void {
    for (const [name, entry] of Object.entries(entries ?? {})) {
      if (this.entries.has(name))
        throw new ResilienceConfigurationError(
          `${this.section}.${name}`,
          'is registered already; allowed: a name of its own',
        );
      this.entries.set(name, entry);
    }
  }

  get(name: string): T | undefined {
    return this.entries.get(name) ?? this.unregistered;
  }

  /** @throws ResilienceConfigurationError on an unknown name, listing the known ones */
  find(name: string, place: string): T {
    const entry = this.entries.get(name) ?? this.unregistered;
    if (entry !== undefined) return entry;
    throw new ResilienceConfigurationError(
      place,
      unregistered(this.kind, name, this.entries.keys(), this.section, this.words),
    );
  }
}
