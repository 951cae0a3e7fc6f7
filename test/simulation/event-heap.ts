/** Something that happens at a time, unless it is cancelled before. */
export interface HeapEvent {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Events by time, and those of one instant in the order in which they were pushed: a binary heap. */
export class EventHeap {
  private readonly heap: HeapEvent[] = [];
  private pushed = 0;

  push(atMs: number, run: () => void): HeapEvent {
    const event: HeapEvent = { atMs, order: this.pushed++, run, cancelled: false };
    const { heap } = this;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(event, heap[parent] as HeapEvent)) break;
      heap[at] = heap[parent] as HeapEvent;
      at = parent;
    }
    heap[at] = event;
    return event;
  }

  /** @returns the next event, no later than this; the cancelled ones are passed over */
  pop(untilMs: number): HeapEvent | undefined {
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (first.atMs > untilMs) return undefined;
      this.removeFirst();
      if (!first.cancelled) return first;
    }
    return undefined;
  }

  private removeFirst(): void {
    const { heap } = this;
    const moved = heap.pop() as HeapEvent;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && comesBefore(heap[right] as HeapEvent, heap[child] as HeapEvent)) {
        child = right;
      }
      if (!comesBefore(heap[child] as HeapEvent, moved)) break;
      heap[at] = heap[child] as HeapEvent;
      at = child;
    }
    heap[at] = moved;
  }
}

function comesBefore(one: HeapEvent, other: HeapEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
