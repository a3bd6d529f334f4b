import type { MemoryBudget } from './memory-budget.ts';

export interface BudgetShare extends MemoryBudget {
  /** Gives back what is still held. From then on nothing is taken, and what is given late is not counted twice. */
  close(): void;
}

/**
 * What one pipeline holds of the budget of all. A pipeline that was stopped before its brokers answered, or that failed,
 * holds bytes that nobody will give back, and the agent goes on without it for months.
 */
export function budgetShare(budget: MemoryBudget): BudgetShare {
  let heldBytes = 0;
  let closed = false;
  return {
    get usedBytes() {
      return budget.usedBytes;
    },
    totalBytes: budget.totalBytes,
    tryTake: (bytes) => {
      if (closed || !budget.tryTake(bytes)) return false;
      heldBytes += bytes;
      return true;
    },
    take: async (bytes, signal) => {
      if (closed || !(await budget.take(bytes, signal))) return false;
      if (closed) {
        budget.give(bytes);
        return false;
      }
      heldBytes += bytes;
      return true;
    },
    give: (bytes) => {
      if (closed) return;
      heldBytes -= bytes;
      budget.give(bytes);
    },
    close: () => {
      if (closed) return;
      closed = true;
      budget.give(heldBytes);
    },
  };
}
