/** Timers by the time at which they are due; those of one instant in the order in which they were set. */
export interface Timer {
  atMs: number;
  order: number;
  /** Undefined once it was cancelled. */
  fire: (() => void) | undefined;
}

export interface TimerHeap {
  add(timer: Timer): void;
  /** The next one that was not cancelled. */
  peek(): Timer | undefined;
  pop(): void;
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A binary heap: a simulated day sets a million timers. */
export function timerHeap(): TimerHeap {
  const heap: Timer[] = [];

  const sink = (from: number): void => {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  };
  const rise = (from: number): void => {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  };
  const pop = (): void => {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    sink(0);
  };

  return {
    add: (timer) => {
      heap.push(timer);
      rise(heap.length - 1);
    },
    peek: () => {
      while (heap.length > 0 && heap[0]!.fire === undefined) pop();
      return heap[0];
    },
    pop,
  };
}
