/** A look into one file: what became of its content since the last look, and whether it is finished. */
import type { Clock } from '../../shared/clock.ts';
import type { Framing } from '../../shared/framing/framing.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { FileStat } from '../discover/file-system.ts';
import { FINGERPRINT_BYTES, fingerprintOf } from '../discover/fingerprint.ts';
import type { Displaced } from './displaced.ts';
import type { FileAttention } from './file-attention.ts';
import { type FileNames, SLOW_LOOK_MS } from './file-names.ts';
import { passHole } from './hole.ts';
import { isFinal, isLeft, type LogFile, type OpenLogFile } from './log-file.ts';
import type { Newcomers } from './newcomers.ts';
import type { SeenBytes } from './seen-bytes.ts';
import type { Truncation } from './truncation.ts';

export interface ContentLookOptions {
  journal: Journal;
  framing: Framing;
  pollIntervalMs: number;
  partialLineTimeoutMs: number;
  closeRotatedAfterMs: number;
  names: Pick<FileNames, 'scannedFromMs' | 'scanSoon'>;
  attention: Pick<FileAttention, 'later' | 'atItsEnd'>;
  truncation: Truncation;
  displaced: Pick<Displaced, 'reached'>;
  seen: Pick<SeenBytes, 'looked'>;
  newcomers: Pick<Newcomers, 'note' | 'look' | 'isWaitedFor'>;
  isFollowed(file: LogFile): boolean;
  /** A file that left the globs was read to its end and has been quiet; it has so many names. */
  letGo(file: LogFile, links: number): Promise<void>;
  /** Bytes of a hole, which nobody ever wrote, were passed over. */
  readonly onHole: (bytes: number) => void;
  clock: Clock;
}

/** A renamed file that was quiet for a minute is looked into every six seconds. */
const QUIET_SHARE = 0.1;

export function createContentLook(options: ContentLookOptions): (file: OpenLogFile) => Promise<void> {
  const { journal, clock, pollIntervalMs, names, attention, truncation, newcomers } = options;

  /** Writes down what identifies the file, as far as it was not known. */
  const knowBetter = async (file: OpenLogFile, stat: FileStat): Promise<void> => {
    const { fingerprint, id, bornNs } = file.state;
    // A file that was made just now has not shown that it has a birth time (see nodeFileSystem).
    if (bornNs === undefined && stat.bornNs !== undefined)
      journal.append({ t: 'born', id, bornNs: stat.bornNs });
    if (fingerprint.bytes >= FINGERPRINT_BYTES || file.sizeBytes <= fingerprint.bytes) return;
    const wanted = Math.min(file.sizeBytes, FINGERPRINT_BYTES);
    const better = await fingerprintOf(file.handle, wanted);
    // Emptied after its size was seen, and before a byte of it was: nobody can say whether these bytes are in a copy.
    if (better.bytes < wanted) file.sizeBytes = Math.max(better.bytes, file.position.offset);
    journal.append({ t: 'fingerprint', id, fingerprint: better });
    newcomers.note(file);
  };

  /** When nobody writes to the file any more, its end is a matter of time. */
  const lookAgain = (file: LogFile, nowMs: number): void => {
    if (file.unproven !== false && file.sizeBytes > 0) attention.later(file, pollIntervalMs);
    else if (!isLeft(file)) attention.atItsEnd(file);
    else {
      const quietMs = nowMs - file.grewMs;
      const untilBounds = [options.partialLineTimeoutMs, options.closeRotatedAfterMs]
        .map((boundMs) => boundMs - quietMs)
        .filter((ms) => ms > 0);
      if (!file.detached && untilBounds.length === 0) return;
      const waitMs = Math.max(pollIntervalMs, quietMs * QUIET_SHARE);
      attention.later(file, Math.min(SLOW_LOOK_MS, waitMs, ...untilBounds));
    }
  };

  /** Before a last line without a line break counts as whole, its file has left the globs without a doubt. */
  const makeSure = (file: LogFile, nowMs: number): void => {
    if (!file.detached || file.surelyLeft) return;
    file.surelyLeft = file.detachedMs === -Infinity || names.scannedFromMs > file.detachedMs;
    const isWaiting =
      file.partialAtBytes !== undefined && nowMs - file.grewMs >= options.partialLineTimeoutMs;
    if (isWaiting && !file.surelyLeft) names.scanSoon();
  };

  return async (file) => {
    const nowMs = clock.monotonicMs();
    const stat = await file.handle.stat();
    file.waits = false;
    const { state } = file;
    if (!file.refused) await truncation.look(file, stat, nowMs);
    if (file.state !== state) newcomers.note(file); // it begins with other bytes now
    file.lookedMs = nowMs;
    file.thoroughMs = nowMs;
    file.modifiedMs = stat.modifiedMs;
    if (stat.sizeBytes !== file.sizeBytes) {
      file.sizeBytes = stat.sizeBytes;
      file.grewMs = nowMs;
    }
    if (file.unproven !== false) await newcomers.look(file, stat);
    const { offset } = file.position;
    await passHole(file, options.framing, journal, options.onHole);
    if (file.position.offset > offset) options.displaced.reached(file, file.position.offset);
    await knowBetter(file, stat);
    options.seen.looked(file);
    makeSure(file, nowMs);
    // Its last line will not be completed: read it again, as final.
    if (isFinal(file, nowMs, options.partialLineTimeoutMs)) file.partialAtBytes = undefined;
    const isRead = file.position.offset >= file.sizeBytes || file.refused;
    const isOver = file.detached && isRead && nowMs - file.grewMs >= options.closeRotatedAfterMs;
    if (isOver && !newcomers.isWaitedFor(file)) await options.letGo(file, stat.links);
    if (options.isFollowed(file)) lookAgain(file, nowMs);
  };
}
