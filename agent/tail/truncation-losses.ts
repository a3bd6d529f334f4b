/**
 * What is lost of files that were emptied: from the place up to which one was read, or its copy goes, up to where it is
 * known to have come. A hole in front of its next content may tell later than anything else how far that was.
 */
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { FileState } from '../checkpoint/entries.ts';
import type { Journal } from '../checkpoint/journal.ts';

export interface TruncationLosses {
  /**
   * The bytes of `emptied` up to `readableBytes` are carried, and all behind them are lost. `successor` is the content that
   * its inode has now, if that came right after it: the loss of more than was known until now is counted there.
   */
  settle(emptied: FileState, readableBytes: number, successor: FileState | undefined): void;
  /**
   * What came before `state` in its inode was `bytes` long. That is `before`, as long as it is looked for; else, what
   * is not settled yet of it is lost.
   */
  reached(state: FileState, bytes: number, before: FileState | undefined): void;
}

export function createTruncationLosses(options: {
  journal: Journal;
  readonly onLost: (bytes: number, reason: 'truncated') => void;
  log: RepeatedLog;
}): TruncationLosses {
  const { journal, onLost, log } = options;

  const say = ({ path, id }: FileState, from: number, to: number): void => {
    onLost(to - from, 'truncated');
    log.error(
      `lost ${path}`,
      { path, file: id, from, to },
      'a log file was emptied before it was read, and no copy of these bytes was found: they are lost. Rotate by renaming, ' +
        'or leave the copy uncompressed in the same directory',
    );
  };

  return {
    settle: (emptied, from, successor) => {
      const to = Math.max(from, emptied.displaced?.seenBytes ?? 0);
      if (to > from) say(emptied, from, to);
      if (successor?.afterTruncation === true) journal.append({ t: 'settled', id: successor.id, bytes: to });
    },
    reached: (state, bytes, before) => {
      const { id, settledBytes } = state;
      const known = before?.displaced;
      if (settledBytes !== undefined && settledBytes < bytes) {
        say(state, settledBytes, bytes);
        journal.append({ t: 'settled', id, bytes });
      } else if (before !== undefined && known?.by === 'emptied' && known.seenBytes < bytes) {
        journal.append({ t: 'displaced', id: before.id, by: 'emptied', seenBytes: bytes });
      }
    },
  };
}
