/**
 * A look into a file that does nothing but grow, without a promise: with a thousand of them, ten times a second, looks would
 * cost more than compression. What is not as it always was is left to the thorough look (content-look.ts), which each file
 * has every now and then in any case.
 */
import { FINGERPRINT_BYTES } from '../discover/fingerprint.ts';
import { isLeft, type LogFile, type OpenLogFile } from './log-file.ts';

/** Too short for a log file to be emptied and to grow beyond what was read of it; unless it is a small one. */
const THOROUGH_AFTER_MS = 1_000;

/** Whether all that was seen of the file is surely its own, and nothing but its growth is to be expected. */
function onlyGrows(file: LogFile): file is OpenLogFile {
  return (
    file.handle !== undefined &&
    file.uses === 0 &&
    !file.changed &&
    !file.waits &&
    !file.refused &&
    file.unproven === false &&
    !isLeft(file) &&
    file.mark !== undefined &&
    file.certainBytes >= file.sizeBytes &&
    file.state.fingerprint.bytes >= FINGERPRINT_BYTES
  );
}

/** Sees how far the file has grown; false when it takes a thorough look to say what became of it. */
export function quickLook(file: LogFile, nowMs: number): boolean {
  if (nowMs - file.thoroughMs >= THOROUGH_AFTER_MS || !onlyGrows(file)) return false;
  const seen = file.handle.growthNow();
  if (seen === undefined) return false;
  const { sizeBytes, modifiedMs } = seen;
  const isAsItWas = sizeBytes === file.sizeBytes && modifiedMs === file.modifiedMs;
  if (sizeBytes <= file.sizeBytes && !isAsItWas) return false;
  if (!isAsItWas) file.grewMs = nowMs;
  file.sizeBytes = sizeBytes;
  file.modifiedMs = modifiedMs;
  file.lookedMs = nowMs;
  return true;
}
