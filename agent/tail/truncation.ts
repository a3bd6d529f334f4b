/** What becomes of a file whose content was taken away while it was followed: copytruncate, or a rewrite in place. */
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { FileStat } from '../discover/file-system.ts';
import { FINGERPRINT_BYTES, fits } from '../discover/fingerprint.ts';
import { markFits } from '../discover/mark.ts';
import type { Displaced } from './displaced.ts';
import type { KnownFiles } from './known-files.ts';
import type { OpenLogFile } from './log-file.ts';

export interface Truncation {
  /** Sees whether the file was emptied or cut off since the last look, and if so begins anew or says what is gone. */
  look(file: OpenLogFile, stat: FileStat, nowMs: number): Promise<void>;
}

export interface TruncationOptions {
  known: KnownFiles;
  displaced: Displaced;
  /** Bytes that went away unread. */
  readonly onLost: (bytes: number, reason: 'truncated') => void;
  logger: Logger;
}

/** Too short for a log file to be emptied and to grow beyond what was read of it; unless it is a small one. */
const LONG_MS = 1_000;

/** Whether what was read of the file is still there. */
export async function isStillThere({ handle, state, mark }: OpenLogFile): Promise<boolean> {
  return (await fits(handle, state.fingerprint)) && (mark === undefined || (await markFits(handle, mark)));
}

/**
 * Whether the file was emptied since the last look; there may be new lines in it already. Where it has grown, the next
 * read tells (guarded-file.ts); where nothing would be read, what was read is compared here.
 */
async function wasEmptied(file: OpenLogFile, stat: FileStat, nowMs: number): Promise<boolean> {
  const { sizeBytes } = stat;
  if (file.changed || sizeBytes < file.position.offset) return true;
  const { fingerprint } = file.state;
  const grown = sizeBytes > file.sizeBytes;
  const shrank = sizeBytes < file.sizeBytes;
  const rewritten = sizeBytes === file.sizeBytes && stat.modifiedMs !== file.modifiedMs;
  const short = fingerprint.bytes < FINGERPRINT_BYTES && sizeBytes > fingerprint.bytes;
  const behind = grown && file.sizeBytes > file.position.offset;
  // The last look saw it grow, and no read has followed that could tell of which content.
  const unsure = file.certainBytes < file.sizeBytes;
  const unwatched = grown && nowMs - file.lookedMs > LONG_MS;
  if (!shrank && !rewritten && !short && !behind && !unsure && !unwatched) return false;
  const { handle, mark } = file;
  if (mark !== undefined) {
    if (!(await markFits(handle, mark))) return true;
    // It was there after its size was seen; whatever the next bytes show, that was its own.
    file.certainBytes = sizeBytes;
  }
  if (!(await fits(handle, fingerprint))) return true;
  file.certainBytes = sizeBytes;
  return false;
}

export function watchTruncation({ known, displaced, onLost, logger }: TruncationOptions): Truncation {
  const startOver = async (file: OpenLogFile, stat: FileStat): Promise<void> => {
    const { path, id } = file.state;
    const fields = { path, file: id, readBytes: file.position.offset, knownBytes: file.sizeBytes };
    logger.info(
      fields,
      'the file was truncated; reading it from the beginning, and looking for a copy of its rest',
    );
    // Where it has grown meanwhile, what was seen of its growth may have been that of the new content.
    const seenBytes = Math.max(file.certainBytes, stat.sizeBytes < file.sizeBytes ? file.sizeBytes : 0);
    displaced.add(file, 'emptied', seenBytes);
    file.state = await known.remember(file.handle, stat, path, 0, true);
    file.position = { offset: 0, skipping: false };
    file.mark = undefined;
    file.changed = false;
    file.certainBytes = file.state.fingerprint.bytes > 0 ? stat.sizeBytes : 0;
    file.partialAtBytes = undefined;
    file.insideLongLine = false;
  };

  return {
    look: async (file, stat, nowMs) => {
      if (await wasEmptied(file, stat, nowMs)) await startOver(file, stat);
      else if (stat.sizeBytes < file.sizeBytes) {
        const { path, id } = file.state;
        const [from, to] = [stat.sizeBytes, file.sizeBytes];
        onLost(to - from, 'truncated');
        logger.error(
          { path, file: id, from, to },
          'a log file was cut off behind what was read: these bytes are lost',
        );
      }
    },
  };
}
