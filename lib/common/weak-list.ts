/** Values in the order in which they came, each for as long as somebody else holds it. */
export class WeakList<T extends object> {
  private readonly references = new Set<WeakRef<T>>();
  private readonly referenceOf = new WeakMap<T, WeakRef<T>>();
  private readonly collected = new FinalizationRegistry<WeakRef<T>>((reference) =>
    this.references.delete(reference),
  );

  /** One that is in the list already stays where it is. */
  add(value: T): void {
    if (this.referenceOf.has(value)) return;
    const reference = new WeakRef(value);
    this.references.add(reference);
    this.referenceOf.set(value, reference);
    this.collected.register(value, reference, value);
  }

  delete(value: T): void {
    const reference = this.referenceOf.get(value);
    if (reference === undefined) return;
    this.collected.unregister(value);
    this.references.delete(reference);
    this.referenceOf.delete(value);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const reference of this.references) {
      const value = reference.deref();
      if (value !== undefined) yield value;
    }
  }
}
