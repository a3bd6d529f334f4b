/**
 * The bytes that fetched, decoded and waiting data may take in this process. Counts; it does not allocate.
 */
export interface MemoryBudget {
  readonly limitBytes: number;
  /** What is there, and what is promised. */
  readonly usedBytes: number;
  /** Of the used bytes those that are not there yet: what answers under way may bring, what decoding will make. */
  readonly promisedBytes: number;
  /** What is left; 0 when over. */
  readonly freeBytes: number;
  /** What is used stays used, also when it is more. */
  setLimit(limitBytes: number): void;
  /** A part of the budget with an owner, so that everything an owner holds can be given back at once. */
  open(): MemoryAccount;
}

export interface MemoryAccount {
  readonly usedBytes: number;
  /**
   * Adds, or with a negative number gives back. Always succeeds: whoever takes has looked at `freeBytes`
   * before.
   */
  add(bytes: number): void;
  /** The same for bytes that are still to come. */
  promise(bytes: number): void;
  /** Gives back everything; later calls do nothing. */
  close(): void;
}

/** `onFreed` runs whenever bytes are given back: someone may wait for them. */
export function createMemoryBudget(firstLimitBytes: number, onFreed: () => void = () => {}): MemoryBudget {
  let limitBytes = firstLimitBytes;
  const total = { held: 0, promised: 0 };

  const open = (): MemoryAccount => {
    const own = { held: 0, promised: 0 };
    let closed = false;
    const change = (kind: keyof typeof own, bytes: number): void => {
      if (closed || bytes === 0) return;
      if (own[kind] + bytes < 0) throw new RangeError(`gave back ${-bytes} bytes of ${own[kind]}`);
      own[kind] += bytes;
      total[kind] += bytes;
      if (bytes < 0) onFreed();
    };
    return {
      get usedBytes() {
        return own.held + own.promised;
      },
      add: (bytes) => change('held', bytes),
      promise: (bytes) => change('promised', bytes),
      close: () => {
        change('held', -own.held);
        change('promised', -own.promised);
        closed = true;
      },
    };
  };

  return {
    get limitBytes() {
      return limitBytes;
    },
    get usedBytes() {
      return total.held + total.promised;
    },
    get promisedBytes() {
      return total.promised;
    },
    get freeBytes() {
      return Math.max(0, limitBytes - total.held - total.promised);
    },
    setLimit: (bytes) => {
      const grows = bytes > limitBytes;
      limitBytes = bytes;
      if (grows) onFreed();
    },
    open,
  };
}
