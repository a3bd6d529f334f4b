import type { JournalFile } from '../../../agent/checkpoint/journal-file.ts';
import type { Random } from '../../../shared/clock.ts';
import type { ProcessLife } from './process-life.ts';
import { between } from './random.ts';
import { errno } from './sim-inode.ts';

/** The journal's bytes, which outlive processes. A process that dies in an append leaves any prefix of it. */
export interface SimJournal {
  readonly content: Buffer;
  /** What the disk refuses writes with: ENOSPC (it takes a part of an append first), EROFS, EIO; undefined while it works. */
  failure: string | undefined;
  file(life: ProcessLife, tear: Random): JournalFile;
  /**
   * Takes away what was not synced; call it when the process is dead. A write that was under way is gone as well. With
   * `tear` the disk keeps the first part of it, or that part's length in zeros, as a file system without data journaling.
   */
  cutPower(tear?: Random): void;
  /** Turns over one bit, as a disk or a memory without checksums does. */
  flipBit(random: Random): void;
}

/** `after` is the virtual delay that a write takes. */
export function simJournal(after: (ms: number) => Promise<void>): SimJournal {
  let content = Buffer.alloc(0);
  let syncedBytes = 0;
  const journal: SimJournal = {
    failure: undefined,
    get content() {
      return content;
    },
    cutPower: (tear) => {
      const unsynced = content.subarray(syncedBytes);
      const kept = tear === undefined ? 0 : between(tear, 0, unsynced.length);
      const part = tear !== undefined && tear() < 0.3 ? Buffer.alloc(kept) : unsynced.subarray(0, kept);
      content = Buffer.concat([content.subarray(0, syncedBytes), part]);
    },
    flipBit: (random) => {
      if (content.length === 0) return;
      content = Buffer.from(content);
      const at = between(random, 0, content.length - 1);
      content[at] = content[at]! ^ (1 << between(random, 0, 7));
    },
    file: (life, tear) => {
      const refuse = (call: string): void => {
        if (journal.failure !== undefined) throw errno(journal.failure, `journal ${call}`);
      };
      const unsettled = new Set<() => void>();
      life.onDeath(() => {
        for (const effect of unsettled) effect();
        unsettled.clear();
      });
      /** A write takes a moment. One that a kill meets is settled with the death: nothing comes later from a dead process. */
      const inAMoment = async (effect: () => void): Promise<void> => {
        unsettled.add(effect);
        await after(1);
        if (unsettled.delete(effect)) effect();
      };
      const appendNow = async (bytes: Uint8Array): Promise<void> => {
        await inAMoment(() => {
          const isFull = journal.failure === 'ENOSPC';
          if (journal.failure !== undefined && !isFull) return;
          const written = life.alive && !isFull ? bytes.length : Math.floor(tear() * bytes.length);
          content = Buffer.concat([content, bytes.subarray(0, written)]);
        });
        refuse('append');
      };
      const syncNow = async (): Promise<void> => {
        const bytes = content.length;
        await after(1);
        refuse('sync');
        if (life.alive) syncedBytes = Math.max(syncedBytes, bytes);
      };
      const replaceNow = async (bytes: Uint8Array): Promise<void> => {
        await inAMoment(() => {
          if (journal.failure !== undefined || (!life.alive && tear() >= 0.5)) return;
          content = Buffer.from(bytes);
          syncedBytes = content.length;
        });
        refuse('replace');
      };
      return {
        read: () => life.through(Promise.resolve(content)),
        append: (bytes) => life.through(appendNow(bytes)),
        sync: () => life.through(syncNow()),
        replace: (bytes) => life.through(replaceNow(bytes)),
        setAside: () => life.through(Promise.resolve('aside')),
        close: () => life.through(Promise.resolve()),
      };
    },
  };
  return journal;
}
