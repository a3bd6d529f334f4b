import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isSkaldError, type SkaldError } from '../errors.ts';
import type { AgentConfig } from './agent-config.ts';
import { readConfigText, reasonOf, unreadable } from './config-text.ts';
import type { Environment } from './interpolate.ts';
import { parsePipeline } from './load-pipeline.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { problemsError } from './problem.ts';

export interface Refusal {
  /** CONFIG_INVALID or CONFIG_UNREADABLE, with the path and, where there is one, the line. */
  readonly error: SkaldError;
  /** Not said at an earlier look: another content, or another reason. */
  readonly isNew: boolean;
  /** The pipeline whose last valid version stays in place of what the file says now. */
  readonly kept?: string | undefined;
}

export interface FolderLook {
  /** What should run, by name. */
  readonly pipelines: ReadonlyMap<string, PipelineConfig>;
  /** One for each file that is refused, in the order of file names; one for the folder if it cannot be read. */
  readonly refused: readonly Refusal[];
}

export interface PipelineFolder {
  /**
   * Looks at the folder again. `settled` is cheap and patient: it compares names, sizes and times, and takes over what it
   * finds the same way twice, so that a file is not read while it is written and a rename is not seen as half of it.
   * `now` reads every file and takes over what is there. Never throws: what is wrong is refused.
   */
  look(how: 'settled' | 'now'): FolderLook;
}

/** An editor may remove a file before one look and write it anew before the next, which then waits for a third. */
const GONE_AFTER_LOOKS = 3;

interface KnownFile {
  readonly file: string;
  /** Inode, size and times when last looked at. */
  stamp: string;
  /** What was read is what the stamp stands for. */
  settled: boolean;
  /** Looks in a row that did not find it. */
  missed: number;
  /** Undefined while it was not or cannot be read. */
  text: string | undefined;
  parsed: PipelineConfig | undefined;
  error: SkaldError | undefined;
  /** The last version that was taken over. */
  accepted: PipelineConfig | undefined;
  /** The refusal that was reported last. */
  told: string | undefined;
}

/**
 * A folder of pipelines that is looked at again and again. A file that is refused leaves the last valid version of its
 * pipeline in place; a folder that cannot be read leaves everything in place, because an unmounted disk is no wish.
 */
export function pipelineFolder(
  dir: string,
  agent: Pick<AgentConfig, 'clusters' | 'limits'>,
  env: Environment = process.env,
): PipelineFolder {
  const known = new Map<string, KnownFile>();
  let pipelines: ReadonlyMap<string, PipelineConfig> = new Map();
  let folderTold: string | undefined;

  const read = (entry: KnownFile): void => {
    try {
      const text = readConfigText(entry.file);
      if (text === entry.text) return;
      entry.text = text;
      entry.parsed = undefined;
      entry.error = undefined;
      entry.parsed = parsePipeline(entry.file, text, agent, env);
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      if (error.code === 'CONFIG_UNREADABLE') entry.text = undefined; // read it again, whatever it says then
      entry.parsed = undefined;
      entry.error = error;
    }
  };

  const refresh = (entry: KnownFile, now: boolean): void => {
    const stamp = stampOf(entry.file);
    const same = stamp === entry.stamp;
    entry.missed = 0;
    if (!now && same && entry.settled) return;
    entry.stamp = stamp;
    // After a hasty read the next patient look reads once more: times are coarse, and two writes may share one.
    entry.settled = same && !now;
    if (now || same) read(entry);
  };

  const lookAtFiles = (files: readonly string[], now: boolean): void => {
    for (const file of files) {
      const entry = known.get(file) ?? unknownFile(file);
      known.set(file, entry);
      refresh(entry, now);
    }
    const present = new Set(files);
    for (const entry of known.values()) {
      if (present.has(entry.file)) continue;
      entry.missed += 1;
      if (now || entry.missed === GONE_AFTER_LOOKS) known.delete(entry.file);
    }
  };

  return {
    look: (how) => {
      let folderError: SkaldError | undefined;
      try {
        lookAtFiles(pipelineFiles(dir), how === 'now');
      } catch (error) {
        if (!isSkaldError(error)) throw error;
        folderError = error;
      }
      const entries = [...known.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
      const chosen = choose(entries, pipelines);
      pipelines = chosen.pipelines;
      const folderRefusal =
        folderError === undefined
          ? []
          : [{ error: folderError, isNew: folderError.message !== folderTold, kept: undefined }];
      folderTold = folderError?.message;
      return { pipelines, refused: [...folderRefusal, ...chosen.refused] };
    },
  };
}

/**
 * Which file speaks for which name: first the one that had it, then in the order of files. Last comes the version before
 * of a file that is refused, is being written or is missed, unless another file has taken its name.
 */
function choose(entries: readonly KnownFile[], before: ReadonlyMap<string, PipelineConfig>): FolderLook {
  const pipelines = new Map<string, PipelineConfig>();
  const errors = new Map<KnownFile, SkaldError>();
  const present = entries.filter(({ missed }) => missed === 0);
  const holdsItsName = ({ file, parsed }: KnownFile): boolean =>
    parsed !== undefined && before.get(parsed.name)?.file === file;
  const inTurn = [...present.filter(holdsItsName), ...present.filter((entry) => !holdsItsName(entry))];
  for (const entry of inTurn) {
    const { file, parsed, error } = entry;
    const twin = parsed === undefined ? undefined : pipelines.get(parsed.name);
    if (twin !== undefined) errors.set(entry, twinError(file, twin));
    else if (parsed !== undefined) {
      pipelines.set(parsed.name, parsed);
      entry.accepted = parsed;
    } else if (error !== undefined) errors.set(entry, error);
  }
  for (const { accepted } of entries) {
    if (accepted !== undefined && !pipelines.has(accepted.name)) pipelines.set(accepted.name, accepted);
  }
  return { pipelines, refused: entries.flatMap((entry) => refusalOf(entry, errors.get(entry), pipelines)) };
}

function refusalOf(
  entry: KnownFile,
  error: SkaldError | undefined,
  pipelines: ReadonlyMap<string, PipelineConfig>,
): Refusal[] {
  const told = error === undefined ? undefined : `${error.message}\n${entry.text ?? ''}`;
  const isNew = told !== entry.told;
  entry.told = told;
  if (error === undefined) return [];
  const { accepted } = entry;
  const kept =
    accepted !== undefined && pipelines.get(accepted.name) === accepted ? accepted.name : undefined;
  return [{ error, isNew, kept }];
}

function unknownFile(file: string): KnownFile {
  return {
    file,
    stamp: '',
    settled: false,
    missed: 0,
    text: undefined,
    parsed: undefined,
    error: undefined,
    accepted: undefined,
    told: undefined,
  };
}

function stampOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    return reasonOf(error);
  }
}

/** Hidden files and editors' copies (`a.yaml~`, `.a.yaml.swp`) are none; a `.yml` is named, so that it gets its error. */
function pipelineFiles(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => !name.startsWith('.') && /\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(resolve(dir), name));
  } catch (error) {
    throw unreadable(resolve(dir), reasonOf(error), error);
  }
}

function twinError(file: string, twin: PipelineConfig): SkaldError {
  const message = `another pipeline is named ${twin.name}: ${twin.file}; rename one`;
  return problemsError(file, [{ path: ['name'], message, line: 1, column: 1 }]);
}
