/**
 * The bytes that fetched, decoded and waiting data may take in this process. Counts; it does not allocate.
 */
export interface MemoryBudget {
  readonly limitBytes: number;
  readonly usedBytes: number;
  /** What is left; 0 when over. */
  readonly freeBytes: number;
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
  /** Gives back everything; later calls do nothing. */
  close(): void;
}

/** `onFreed` runs whenever bytes are given back: someone may wait for them. */
export function createMemoryBudget(limitBytes: number, onFreed: () => void = () => {}): MemoryBudget {
  let usedBytes = 0;

  const open = (): MemoryAccount => {
    let ownBytes = 0;
    let closed = false;
    const add = (bytes: number): void => {
      if (closed || bytes === 0) return;
      if (ownBytes + bytes < 0) throw new RangeError(`gave back ${-bytes} bytes of ${ownBytes}`);
      ownBytes += bytes;
      usedBytes += bytes;
      if (bytes < 0) onFreed();
    };
    return {
      get usedBytes() {
        return ownBytes;
      },
      add,
      close: () => {
        add(-ownBytes);
        closed = true;
      },
    };
  };

  return {
    limitBytes,
    get usedBytes() {
      return usedBytes;
    },
    get freeBytes() {
      return Math.max(0, limitBytes - usedBytes);
    },
    open,
  };
}
