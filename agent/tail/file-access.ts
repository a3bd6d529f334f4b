/** Opens files when they are used, and sees whether what was closed is still what it was. */
import type { Clock } from '../../shared/clock.ts';
import { errnoOf, messageOf } from '../../shared/errors.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { FileStat } from '../discover/file-system.ts';
import { bornApart } from '../discover/identity.ts';
import type { LogFile, OpenLogFile } from './log-file.ts';
import type { OpenFiles } from './open-files.ts';
import { isStillThere } from './truncation.ts';

export interface FileAccess {
  /** Opens the file if need be, and keeps it open during `work`; undefined when it cannot be opened now. */
  use<T>(file: LogFile, work: (file: OpenLogFile) => Promise<T>): Promise<T | undefined>;
  /** The same at once; undefined when it is not open, or `work` says so. */
  useNow<T>(file: LogFile, work: (file: OpenLogFile) => T | undefined): T | undefined;
  /** Says why a file cannot be opened; false when it is just not there. */
  complain(path: string, error: unknown): boolean;
}

export interface FileAccessOptions {
  openFiles: OpenFiles;
  /** How long nobody asks for one more open file when everything that is open is needed. */
  pollIntervalMs: number;
  isFollowed(file: LogFile): boolean;
  /** The path does not lead to the file any more. */
  doubt(path: string): void;
  /** A file that has no name is not where it was either. */
  drop(file: LogFile): void;
  /** Another file has its inode now: it was deleted while it was closed. */
  replace(file: OpenLogFile, stat: FileStat): Promise<void>;
  /** It was used, or could not be: `opened` says which. */
  onUsed(file: LogFile, opened: boolean): void;
  clock: Clock;
  log: RepeatedLog;
}

function withHandle(file: LogFile): OpenLogFile {
  // Whoever uses a file has opened it, and it is not closed meanwhile.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return file as OpenLogFile;
}

export function createFileAccess(options: FileAccessOptions): FileAccess {
  const { openFiles, clock, log } = options;
  let fullUntilMs = -Infinity;

  const complain = (path: string, error: unknown): boolean => {
    const code = errnoOf(error);
    if (code === 'ENOENT') return false;
    if (code === 'EMFILE' || code === 'ENFILE') {
      fullUntilMs = clock.monotonicMs() + options.pollIntervalMs;
      log.error(
        'open files',
        { path, openFiles: openFiles.count, err: error },
        `no more files can be opened: ${messageOf(error)}; further ones wait. Raise limits.maxOpenFiles, or the limit of the process`,
      );
    } else {
      const message = `cannot read a log file: ${messageOf(error)}; trying again at each look`;
      log.error(`open ${path}`, { path, err: error }, message);
    }
    return true;
  };

  /** What was closed may be another file now, or have other content: then it is looked into before it is read. */
  const compare = async (file: OpenLogFile): Promise<'same path' | 'other path'> => {
    const stat = await file.handle.stat();
    if (stat.key !== file.state.key) return 'other path';
    if (bornApart(stat.bornNs, file.state.bornNs)) await options.replace(file, stat);
    else if (stat.sizeBytes < file.position.offset || !(await isStillThere(file))) file.changed = true;
    return 'same path';
  };

  /** False when it cannot be opened now. */
  const open = async (file: LogFile): Promise<boolean> => {
    const { path } = file.state;
    if (clock.monotonicMs() < fullUntilMs) return false;
    try {
      const handle = await openFiles.open(path);
      if (file.handle !== undefined || !options.isFollowed(file)) await handle.close();
      else {
        file.handle = handle;
        if ((await compare(withHandle(file))) === 'same path') return true;
        await openFiles.close(file);
        options.doubt(path);
      }
    } catch (error) {
      await openFiles.close(file);
      const isGone = !complain(path, error);
      if (isGone && file.detached) options.drop(file);
      else if (isGone) options.doubt(path);
    }
    return file.handle !== undefined;
  };

  return {
    complain,
    useNow: (file, work) => {
      if (file.handle === undefined || file.uses > 0) return undefined;
      const result = work(withHandle(file));
      if (result === undefined) return undefined;
      file.usedMs = clock.monotonicMs();
      openFiles.used(file);
      options.onUsed(file, true);
      return result;
    },
    use: async (file, work) => {
      file.uses += 1;
      let opened = false;
      try {
        opened = file.handle !== undefined || (await open(file));
        if (!opened) return undefined;
        file.usedMs = clock.monotonicMs();
        openFiles.used(file);
        return await work(withHandle(file));
      } finally {
        file.uses -= 1;
        options.onUsed(file, opened);
      }
    },
  };
}
