/** Items by the time at which they are due: a binary heap, because there may be a million of them. */
export interface DueQueue<T> {
  readonly size: number;
  /** When the first one is due; Infinity without any. */
  readonly nextMs: number;
  /** An item's time must not change while it is in here. */
  add(item: T): void;
  /** Takes out the items that are due at `nowMs`, at most `max` of them. */
  take(nowMs: number, max: number): T[];
}

export function dueQueue<T>(dueMs: (item: T) => number): DueQueue<T> {
  const heap: T[] = [];
  const before = (a: number, b: number): boolean => dueMs(heap[a]!) < dueMs(heap[b]!);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };

  const takeFirst = (): T => {
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      if (left >= heap.length) return first;
      const least = left + 1 < heap.length && before(left + 1, left) ? left + 1 : left;
      if (!before(least, at)) return first;
      swap(least, at);
      at = least;
    }
  };
  const nextMs = (): number => (heap.length === 0 ? Infinity : dueMs(heap[0]!));

  return {
    get size() {
      return heap.length;
    },
    get nextMs() {
      return nextMs();
    },
    add: (item) => {
      heap.push(item);
      for (let at = heap.length - 1; at > 0;) {
        const parent = (at - 1) >> 1;
        if (!before(at, parent)) return;
        swap(at, parent);
        at = parent;
      }
    },
    take: (nowMs, max) => {
      const taken: T[] = [];
      while (taken.length < max && nextMs() <= nowMs) taken.push(takeFirst());
      return taken;
    },
  };
}
