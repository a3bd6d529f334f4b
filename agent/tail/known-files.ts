/** Which file is which: what the journal remembers, by device, inode and first bytes. */
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { FileState } from '../checkpoint/state.ts';
import type { FileStat, OpenFile } from '../discover/file-system.ts';
import { FINGERPRINT_BYTES, fingerprintOf } from '../discover/fingerprint.ts';
import { identify } from '../discover/identity.ts';

export interface KnownFiles {
  /** The journal's record of an open file: an old one when it is a file that was known, else a new one that begins at `startOffset`. */
  readonly recognise: (
    handle: OpenFile,
    stat: FileStat,
    path: string,
    startOffset: number,
  ) => Promise<FileState>;
  /** A record for a file that nobody knew, to be read from `offset` on. */
  readonly remember: (handle: OpenFile, stat: FileStat, path: string, offset: number) => Promise<FileState>;
  /** Nothing of the file will be asked for any more. */
  readonly forget: (state: FileState) => void;
}

const NEWLINE = 0x0a;

async function lastByteIsNewline(handle: OpenFile, sizeBytes: number): Promise<boolean> {
  const last = Buffer.alloc(1);
  return (await handle.read(last, 0, 1, sizeBytes - 1)) === 0 || last[0] === NEWLINE;
}

export function createKnownFiles({ journal, logger }: { journal: Journal; logger: Logger }): KnownFiles {
  /** By device and inode; the last incarnation wins. */
  const remembered = new Map([...journal.state.files.values()].map((state) => [state.key, state]));

  const forget = (state: FileState): void => {
    journal.append({ t: 'forget', id: state.id });
    if (remembered.get(state.key) === state) remembered.delete(state.key);
  };

  const remember: KnownFiles['remember'] = async (handle, stat, path, offset) => {
    const skipping = offset > 0 && !(await lastByteIsNewline(handle, offset));
    const fingerprint = await fingerprintOf(handle, Math.min(stat.sizeBytes, FINGERPRINT_BYTES));
    const n = journal.state.nextFile; // taken after the reads: a scan and a poll may both be at this
    const { key, bornNs } = stat;
    const born = bornNs === undefined ? {} : { bornNs };
    const state: FileState = { id: `${key}-${n}`, key, ...born, path, fingerprint, offset, skipping };
    journal.append({ t: 'counters', file: n + 1, intent: 0 }, { t: 'file', ...state });
    const applied = journal.state.files.get(state.id)!;
    remembered.set(stat.key, applied);
    return applied;
  };

  const recognise: KnownFiles['recognise'] = async (handle, stat, path, startOffset) => {
    const known = remembered.get(stat.key);
    if (known === undefined) return remember(handle, stat, path, startOffset);
    const identity = await identify(handle, stat, known);
    if (identity === 'same') {
      if (known.path !== path) journal.append({ t: 'move', id: known.id, path });
      return known;
    }
    logger.warn(
      { path, was: known.path, readBytes: known.offset, sizeBytes: stat.sizeBytes },
      identity === 'reused'
        ? 'the inode belongs to another file now; reading it from the beginning'
        : 'the file was truncated while nobody looked; reading it from the beginning',
    );
    forget(known);
    return remember(handle, stat, path, 0);
  };

  return { recognise, remember, forget };
}
