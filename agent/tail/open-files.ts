/**
 * The log files that the process holds open, of all pipelines: a bounded number. Who wants one more takes the place of the
 * one that was used least recently; that one is opened again when there is something to read in it.
 */
import { errnoOf } from '../../shared/errors.ts';
import type { FileSystem, OpenFile } from '../discover/file-system.ts';

/** Who holds an open file. */
export interface Holder {
  handle: OpenFile | undefined;
  /** Calls on the handle that are under way; it is not closed meanwhile. */
  uses: number;
  /** No name leads to the file that could open it again. */
  readonly detached: boolean;
}

export interface OpenFiles {
  readonly count: number;
  /** One more can be opened without another one losing its place. */
  readonly hasRoom: boolean;
  /**
   * Opens a file that counts until it is closed. @throws with `code` EMFILE when the bound is reached and everything that
   * is open is needed, else as FileSystem.open
   */
  open(path: string): Promise<OpenFile>;
  /** The holder's handle was used just now; from the first time on it may be closed when others need its place. */
  used(holder: Holder): void;
  /** Closes the holder's handle, if it has one. */
  close(holder: Holder): Promise<void>;
}

export function createOpenFiles(fs: Pick<FileSystem, 'open'>, maxOpenFiles: number): OpenFiles {
  /** In the order of their last use. */
  const holders = new Set<Holder>();
  let count = 0;

  const close = async (holder: Holder): Promise<void> => {
    const { handle } = holder;
    holders.delete(holder);
    holder.handle = undefined;
    await handle?.close();
  };

  /** Whether what the holder has open can be opened again. A file may have been deleted since anybody looked at its names. */
  const canBeSpared = async (holder: Holder): Promise<boolean> => {
    const { handle } = holder;
    if (handle === undefined || holder.uses > 0 || holder.detached) return false;
    const links = await handle.stat().then(
      (stat) => stat.links,
      () => 0,
    );
    return links > 0 && holder.uses === 0 && holder.handle === handle;
  };

  /** False when none can be spared. */
  const makeRoom = async (): Promise<boolean> => {
    let unasked = holders.size;
    for (const holder of holders) {
      if (unasked === 0) break;
      unasked -= 1;
      if (await canBeSpared(holder)) {
        await close(holder);
        return true;
      }
      // Asked last the next time.
      holders.delete(holder);
      holders.add(holder);
    }
    return false;
  };

  const counted = (handle: OpenFile): OpenFile => {
    let isOpen = true;
    return {
      stat: () => handle.stat(),
      read: (into, at, length, position) => handle.read(into, at, length, position),
      readBoth: (first, second, position) => handle.readBoth(first, second, position),
      growthNow: () => handle.growthNow(),
      readBothNow: (first, second, position) => handle.readBothNow(first, second, position),
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        count -= 1;
        await handle.close();
      },
    };
  };

  return {
    get count() {
      return count;
    },
    get hasRoom() {
      return count < maxOpenFiles;
    },
    open: async (path) => {
      for (;;) {
        if (count >= maxOpenFiles && !(await makeRoom())) {
          throw Object.assign(new Error('limits.maxOpenFiles is reached'), { code: 'EMFILE' });
        }
        if (count >= maxOpenFiles) continue; // somebody else was faster
        count += 1;
        try {
          return counted(await fs.open(path));
        } catch (error) {
          count -= 1;
          // The system's own bound is lower than ours: live within it.
          const exhausted = ['EMFILE', 'ENFILE'].includes(errnoOf(error) ?? '');
          if (!exhausted || !(await makeRoom())) throw error;
        }
      }
    },
    used: (holder) => {
      holders.delete(holder);
      holders.add(holder);
    },
    close,
  };
}
