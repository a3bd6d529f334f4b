/** Which file is which: what the journal remembers, by device, inode and first bytes. */
import type { Framing } from '../../shared/framing/framing.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { Displacement, FileState } from '../checkpoint/entries.ts';
import { deviceOf } from '../discover/directory.ts';
import type { FileStat, OpenFile } from '../discover/file-system.ts';
import { FINGERPRINT_BYTES, fingerprintOf } from '../discover/fingerprint.ts';
import { bornApart, identify } from '../discover/identity.ts';
import { positionAt } from './read-records.ts';

export interface KnownFiles {
  /** The journal's record of an open file: an old one when it is a file that was known, else a new one that begins at `startOffset`. */
  readonly recognise: (
    handle: OpenFile,
    stat: FileStat,
    path: string,
    startOffset: number,
  ) => Promise<FileState>;
  /** A record for content that nobody knew, to be read from `offset` on. */
  readonly remember: (
    handle: OpenFile,
    stat: FileStat,
    path: string,
    offset: number,
    afterTruncation?: boolean,
  ) => Promise<FileState>;
  /** Whether a file that is carried has this device and inode. */
  readonly has: (key: string) => boolean;
  /** The file's content is in another inode now. */
  readonly moved: (
    state: FileState,
    to: { key: string; bornNs?: number | undefined },
    path: string,
    copy: boolean,
  ) => void;
  /** The file's inode does not hold its content any more. */
  readonly displace: (state: FileState) => void;
  /** Files of an earlier run that are on other devices than this one. */
  readonly elsewhere: (device: string) => FileState[];
  /** Nothing of the file will be asked for any more. */
  readonly forget: (state: FileState) => void;
}

/** Inode part of a file's key, see FileStat. */
function inodeOf(key: string): string {
  return key.slice(key.indexOf('-') + 1);
}

function addTo(map: Map<string, FileState[]>, key: string, state: FileState): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [state]);
  else list.push(state);
}

export function createKnownFiles(options: {
  journal: Journal;
  framing: Framing;
  /** What the journal knows of a file whose inode holds something else now. */
  readonly onDisplaced: (state: FileState, by: Displacement) => void;
  logger: Logger;
}): KnownFiles {
  const { journal, framing, onDisplaced, logger } = options;
  /** By device and inode; the last incarnation wins. */
  const remembered = new Map<string, FileState>();
  /** Files of an earlier run by inode number: devices are not numbered as they were before a reboot. */
  const byInode = new Map<string, FileState[]>();
  const byDevice = new Map<string, FileState[]>();
  /** Emptied files by device and inode: an earlier process may have died before it wrote down what came after. */
  const emptied = new Map<string, FileState>();
  for (const state of journal.state.files.values()) {
    if (state.displaced?.by === 'emptied') emptied.set(state.key, state);
    if (state.displaced !== undefined) continue;
    remembered.set(state.key, state);
    addTo(byInode, inodeOf(state.key), state);
    addTo(byDevice, deviceOf(state.key), state);
  }

  const isRemembered = (state: FileState): boolean => remembered.get(state.key) === state;

  const displace = (state: FileState): void => {
    if (isRemembered(state)) remembered.delete(state.key);
  };

  const moved: KnownFiles['moved'] = (state, { key, bornNs }, path, copy) => {
    displace(state);
    const born = bornNs === undefined ? {} : { bornNs };
    journal.append({ t: 'move', id: state.id, path, key, ...born, ...(copy && { copy }) });
    remembered.set(key, state);
  };

  const forget = (state: FileState): void => {
    journal.append({ t: 'forget', id: state.id });
    displace(state);
  };

  const remember: KnownFiles['remember'] = async (handle, stat, path, at, afterTruncation = false) => {
    const { offset, skipping } = await positionAt(handle, at, framing);
    const fingerprint = await fingerprintOf(handle, Math.min(stat.sizeBytes, FINGERPRINT_BYTES));
    const n = journal.state.nextFile; // taken after the reads: a scan and a poll may both be at this
    const { key, bornNs } = stat;
    const born = bornNs === undefined ? {} : { bornNs };
    const state: FileState = {
      id: `${key}-${n}`,
      key,
      ...born,
      path,
      fingerprint,
      offset,
      skipping,
      ...(afterTruncation && { afterTruncation }),
    };
    journal.append({ t: 'file', ...state });
    const applied = journal.state.files.get(state.id)!;
    remembered.set(stat.key, applied);
    return applied;
  };

  /**
   * NFS, LVM and btrfs number their devices anew at each mount. The same inode number with the same birth, or where that is
   * not known under the same name, and all that was read in its place, is the same file.
   */
  const recogniseRenumbered = async (
    handle: OpenFile,
    stat: FileStat,
    path: string,
  ): Promise<FileState | undefined> => {
    for (const former of byInode.get(inodeOf(stat.key)) ?? []) {
      const bothBorn = former.bornNs !== undefined && stat.bornNs !== undefined;
      if (former.offset === 0 || !isRemembered(former) || (!bothBorn && former.path !== path)) continue;
      if ((await identify(handle, stat, former)) !== 'same') continue;
      moved(former, stat, path, false);
      logger.info(
        { path, file: former.id },
        'the file is on a device with another number now; going on in it',
      );
      return former;
    }
    return undefined;
  };

  const recognise: KnownFiles['recognise'] = async (handle, stat, path, startOffset) => {
    const known = remembered.get(stat.key);
    if (known === undefined) {
      const renumbered = await recogniseRenumbered(handle, stat, path);
      if (renumbered !== undefined) return renumbered;
      const before = emptied.get(stat.key);
      const isEmptied = before !== undefined && !bornApart(stat.bornNs, before.bornNs);
      return remember(handle, stat, path, isEmptied ? 0 : startOffset, isEmptied);
    }
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
    onDisplaced(known, identity);
    return remember(handle, stat, path, 0, identity === 'emptied');
  };

  return {
    recognise,
    remember,
    has: (key) => remembered.has(key),
    moved,
    displace,
    elsewhere: (device) =>
      [...byDevice].flatMap(([other, states]) => (other === device ? [] : states.filter(isRemembered))),
    forget,
  };
}
