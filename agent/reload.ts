/** Keeps the pipelines that run as their folder says: looked at now and then, and at once when somebody asks. */
import type { Clock } from '../shared/clock.ts';
import type { PipelineFolder } from '../shared/config/pipeline-folder.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { PipelineDifference } from './pipeline-difference.ts';
import type { PipelineSet } from './pipeline-set.ts';

export interface ReloadOptions {
  folder: PipelineFolder;
  set: Pick<PipelineSet, 'want' | 'startFailedAgain'>;
  intervalMs: number;
  /** How many files are refused, after each look. */
  onRefused(files: number): void;
  clock: Clock;
  logger: Logger;
}

export interface Reloading {
  /** Takes over at once what is in the folder, and tries those again that have failed. */
  now(): void;
  close(): Promise<void>;
  /** Rejects only for a bug. */
  readonly done: Promise<void>;
}

/** Takes over what is in the folder, then looks at it every `intervalMs` until `close`. */
export function startReloading(options: ReloadOptions): Reloading {
  const { folder, set, clock, logger } = options;
  const over = new AbortController();

  const look = (how: 'now' | 'settled'): PipelineDifference => {
    const { pipelines, refused } = folder.look(how);
    options.onRefused(refused.length);
    for (const { error, isNew, kept } of refused) {
      if (!isNew) continue;
      const message =
        kept === undefined
          ? 'a pipeline file is refused until it is corrected'
          : 'a pipeline file is refused until it is corrected; the version before it goes on';
      logger.error({ ...(kept !== undefined && { pipeline: kept }), err: error }, message);
    }
    const difference = set.want(pipelines);
    const fields = summary(difference);
    if (Object.values(fields).some((names) => names.length > 0)) {
      logger.info(fields, 'taking over the pipeline files');
    }
    return difference;
  };

  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await clock.sleep(options.intervalMs, over.signal);
      if (!over.signal.aborted) look('settled');
    }
  };

  look('now');
  const done = run();
  done.catch(() => {}); // whoever wants it has it
  return {
    now: () => {
      const { start, replace, stop } = look('now');
      const again = set.startFailedAgain();
      if (again.length > 0) logger.info({ pipelines: again }, 'trying the pipelines again that have failed');
      if (start.length + replace.length + stop.length === 0) {
        logger.info('looked at the pipeline files: there is no other version of any to take over');
      }
    },
    close: async () => {
      over.abort();
      await done.catch(() => {}); // whoever started it watches it
    },
    done,
  };
}

function summary({ start, replace, stop }: PipelineDifference) {
  const names = (configs: readonly { name: string }[]): string[] => configs.map(({ name }) => name);
  return { starting: names(start), replacing: names(replace), stopping: stop };
}
