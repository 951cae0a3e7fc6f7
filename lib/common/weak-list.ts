/** Values in the order in which they came, each for as long as somebody else holds it. */
export class WeakList<T extends object> {
  private readonly references = new Set<WeakRef<T>>();
  private readonly collected = new FinalizationRegistry<WeakRef<T>>((reference) =>
    this.references.delete(reference),
  );

  add(value: T): void {
    const reference = new WeakRef(value);
    this.references.add(reference);
    this.collected.register(value, reference, value);
  }

  delete(value: T): void {
    this.collected.unregister(value);
    for (const reference of this.references)
      if (reference.deref() === value) this.references.delete(reference);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const reference of this.references) {
      const value = reference.deref();
      if (value !== undefined) yield value;
    }
  }
}
