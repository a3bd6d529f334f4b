/**
 * The bytes that the process holds, and how pipelines share them. Half of the budget is dealt out: every pipeline has an
 * equal part of its own, which nobody else can use up. The other half is lent. Nobody can be asked to give back, because
 * what is held waits for a broker, so a loan is only given while at least as much stays free for others as the pipeline
 * and its cluster then have of it together (the dynamic threshold of Choudhury and Hahne, 1998, in two levels). All
 * pipelines of a cluster that is away thus hold at most half of what is lent, and one pipeline alone at most a third.
 */
import { deferred } from '../shared/deferred.ts';

export interface MemoryBudget {
  readonly usedBytes: number;
  readonly totalBytes: number;
  /** The part of one more pipeline, which sends to `cluster`. The parts of the others become smaller. */
  share(cluster: string): BudgetShare;
}

export interface BudgetShare {
  /** As much as this is there for the pipeline, whatever the others hold. */
  readonly ownBytes: number;
  /** Takes `bytes` at once, or says no. Always yes for who holds nothing: a long line must not wait for ever. */
  tryTake(bytes: number): boolean;
  /**
   * Resolves when `bytes` are taken, or with false when `signal` aborts or the share is closed first. Nobody waits behind
   * another pipeline; up to `ownBytes` it depends on nothing but what this one gives back.
   */
  take(bytes: number, signal: AbortSignal): Promise<boolean>;
  /** Less than nothing for what turned out larger than it was thought to be. */
  give(bytes: number): void;
  /**
   * Gives back what is still held: a pipeline that was stopped before its brokers answered holds bytes that nobody else
   * will give back. From then on nothing is taken, and what is given late is not counted twice.
   */
  close(): void;
}

interface Account {
  readonly cluster: { lentBytes: number };
  heldBytes: number;
  lentBytes: number;
  readonly waiting: Waiter[];
}

interface Waiter {
  readonly bytes: number;
  answer(isGranted: boolean): void;
}

/**
 * The bound is exact while the pipelines stay the same. One that is added has its part at once, also while others still
 * hold what was theirs when there were fewer: for as long as those wait for brokers it can be half as much again.
 */
export function memoryBudget(totalBytes: number): MemoryBudget {
  const accounts = new Set<Account>();
  /** Those of them that wait; who comes again stands behind the others, so that the next loan is another's. */
  const inLine = new Set<Account>();
  const clusters = new Map<string, { lentBytes: number }>();
  let usedBytes = 0;
  let lentBytes = 0;

  const ownBytes = (): number => Math.max(1, Math.floor(totalBytes / 2 / Math.max(1, accounts.size)));
  const commonBytes = (): number => totalBytes - ownBytes() * accounts.size;

  const setLent = (account: Account, bytes: number): void => {
    const change = bytes - account.lentBytes;
    account.lentBytes = bytes;
    account.cluster.lentBytes += change;
    lentBytes += change;
  };

  const setHeld = (account: Account, bytes: number): void => {
    usedBytes += bytes - account.heldBytes;
    account.heldBytes = bytes;
    setLent(account, Math.max(0, bytes - ownBytes()));
  };

  const mayHold = (account: Account, bytes: number): boolean => {
    if (account.heldBytes === 0 || bytes <= ownBytes()) return true;
    const more = bytes - ownBytes() - account.lentBytes;
    const freeBytes = commonBytes() - (lentBytes + more);
    return account.lentBytes + more + account.cluster.lentBytes + more <= freeBytes;
  };

  const serve = (account: Account): void => {
    while (account.waiting.length > 0) {
      const bytes = account.heldBytes + account.waiting[0]!.bytes;
      if (!mayHold(account, bytes)) return;
      setHeld(account, bytes);
      account.waiting.shift()!.answer(true);
    }
    inLine.delete(account);
  };

  const serveAll = (): void => inLine.forEach(serve);

  /** After another number of pipelines: all parts are others now. */
  const dealAnew = (): void => {
    for (const account of accounts) setHeld(account, account.heldBytes);
    serveAll();
  };

  return {
    get usedBytes() {
      return usedBytes;
    },
    totalBytes,
    share: (name) => {
      const cluster = clusters.get(name) ?? { lentBytes: 0 };
      clusters.set(name, cluster);
      const account: Account = { cluster, heldBytes: 0, lentBytes: 0, waiting: [] };
      accounts.add(account);
      dealAnew();
      let closed = false;

      const tryTake = (bytes: number): boolean => {
        const held = account.heldBytes + bytes;
        if (closed || account.waiting.length > 0 || !mayHold(account, held)) return false;
        setHeld(account, held);
        return true;
      };

      return {
        get ownBytes() {
          return ownBytes();
        },
        tryTake,
        take: (bytes, signal) => {
          if (closed || signal.aborted) return Promise.resolve(false);
          if (tryTake(bytes)) return Promise.resolve(true);
          const granted = deferred<boolean>();
          const waiter = {
            bytes,
            answer: (isGranted: boolean) => {
              signal.removeEventListener('abort', abort);
              granted.resolve(isGranted);
            },
          };
          const abort = (): void => {
            account.waiting.splice(account.waiting.indexOf(waiter), 1);
            waiter.answer(false);
            serve(account); // it may have stood in front of a smaller one
          };
          account.waiting.push(waiter);
          inLine.add(account);
          signal.addEventListener('abort', abort, { once: true });
          return granted.promise;
        },
        give: (bytes) => {
          if (closed) return;
          setHeld(account, account.heldBytes - bytes);
          serveAll();
        },
        close: () => {
          if (closed) return;
          closed = true;
          for (const waiter of account.waiting.splice(0)) waiter.answer(false);
          setHeld(account, 0);
          inLine.delete(account);
          accounts.delete(account);
          dealAnew();
        },
      };
    },
  };
}
