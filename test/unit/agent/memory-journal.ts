import type { JournalFile } from '../../../agent/checkpoint/journal-file.ts';

export interface MemoryJournal extends JournalFile {
  content: Buffer;
  /** How much of `content` survives a power cut. */
  syncedBytes: number;
  syncs: number;
  replaces: number;
  aside: Map<string, Buffer>;
  /** Calls that fail, with the code of a full disk (errno(3)). */
  failing: Set<'append' | 'sync' | 'replace' | 'setAside'>;
}

/** A journal's file in memory, on a disk that a test can fill. */
export function memoryJournal(content: Buffer | string = ''): MemoryJournal {
  const mayFail = (call: 'append' | 'sync' | 'replace' | 'setAside'): void => {
    if (journal.failing.has(call)) {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    }
  };
  const journal: MemoryJournal = {
    content: Buffer.from(content),
    syncedBytes: 0,
    syncs: 0,
    replaces: 0,
    aside: new Map(),
    failing: new Set(),
    read: () => Promise.resolve(Buffer.from(journal.content)),
    append: async (bytes) => {
      await Promise.resolve();
      mayFail('append');
      journal.content = Buffer.concat([journal.content, bytes]);
    },
    sync: async () => {
      await Promise.resolve();
      mayFail('sync');
      journal.syncs += 1;
      journal.syncedBytes = journal.content.length;
    },
    replace: async (bytes) => {
      await Promise.resolve();
      mayFail('replace');
      journal.replaces += 1;
      journal.content = Buffer.from(bytes);
      journal.syncedBytes = journal.content.length;
    },
    setAside: async (bytes, suffix) => {
      await Promise.resolve();
      mayFail('setAside');
      journal.aside.set(suffix, Buffer.from(bytes));
      return `journal.${suffix}`;
    },
    close: () => Promise.resolve(),
  };
  return journal;
}
