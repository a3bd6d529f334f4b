/**
 * The pipelines that run, and those that should. Each name has a line of its own in which its pipeline is stopped, started
 * or replaced, one step after the other, so that a journal never has two pipelines at once; no line waits for another's.
 */
import type { Clock } from '../shared/clock.ts';
import type { PipelineConfig } from '../shared/config/pipeline-config.ts';
import { deferred } from '../shared/deferred.ts';
import { messageOf } from '../shared/errors.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { RunningPipeline } from './pipeline.ts';
import { pipelineDifference, type PipelineDifference } from './pipeline-difference.ts';

export interface PipelineSetOptions {
  /** Rejects when the pipeline cannot start; what it took until then is given back. */
  start(config: PipelineConfig): Promise<RunningPipeline>;
  /** After a pipeline that is no longer wanted has stopped. */
  onRemoved(name: string): Promise<void>;
  /** How long a pipeline that stops waits for acknowledgements. */
  drainMs: number;
  clock: Clock;
  logger: Logger;
}

export interface PipelineState {
  readonly name: string;
  /** Undefined before it has started, and between two versions of it. */
  readonly pipeline: RunningPipeline | undefined;
  readonly wanted: boolean;
  /** Why it does not carry lines, when it could not start or go on. */
  readonly failed: string | undefined;
}

export interface PipelineSet {
  /** Says what should run from now on, and returns without waiting for it. What is equal is not touched. */
  want(pipelines: ReadonlyMap<string, PipelineConfig>): PipelineDifference;
  /** Starts those again that have failed, and returns their names. */
  startFailedAgain(): string[];
  /** Stops and starts every pipeline, because something that they were started with has changed. */
  startAllAgain(): void;
  readonly all: readonly PipelineState[];
  /** Stops all, each within `drainMs`. Twice is fine. */
  close(): Promise<void>;
  /** Resolves after `close`; rejects when there are pipelines and every one of them has failed. */
  readonly done: Promise<void>;
}

interface Line {
  readonly name: string;
  wanted: PipelineConfig | undefined;
  pipeline: RunningPipeline | undefined;
  failed: string | undefined;
  /** Counts the wishes; a step serves the last one. */
  wish: number;
  served: number;
  work: Promise<void> | undefined;
}

export function createPipelineSet(options: PipelineSetOptions): PipelineSet {
  const { clock, logger } = options;
  const lines = new Map<string, Line>();
  let wanted: ReadonlyMap<string, PipelineConfig> = new Map();
  let closing: Promise<void> | undefined;
  const ending = deferred<void>();
  const { promise: done } = ending;
  done.catch(() => {}); // whoever wants it has it

  const giveUpWhenAllHaveFailed = (error: unknown): void => {
    const states = [...lines.values()];
    if (states.every((line) => line.failed !== undefined && line.work === undefined)) ending.reject(error);
  };

  const fail = (line: Line, error: unknown, message: string): void => {
    line.failed = messageOf(error);
    logger.error({ pipeline: line.name, err: error }, message);
  };

  const stop = async (line: Line, pipeline: RunningPipeline): Promise<void> => {
    const patience = new AbortController();
    const stopped = new AbortController();
    const overdue = clock.sleep(options.drainMs, stopped.signal).then(() => patience.abort());
    try {
      await pipeline.close(patience.signal);
      if (patience.signal.aborted) {
        logger.warn(
          { pipeline: line.name, shutdownTimeoutMs: options.drainMs },
          'not everything was acknowledged in time; it is sent again at the next start',
        );
      }
    } catch (error) {
      logger.error({ pipeline: line.name, err: error }, 'a pipeline did not stop cleanly');
    }
    line.pipeline = undefined;
    stopped.abort();
    await overdue;
  };

  const start = async (line: Line, config: PipelineConfig): Promise<unknown> => {
    line.failed = undefined;
    try {
      const pipeline = await options.start(config);
      line.pipeline = pipeline;
      pipeline.done.catch((error: unknown) => {
        if (line.pipeline !== pipeline) return;
        fail(
          line,
          error,
          'a pipeline has stopped; its lines wait in their files. The others go on. Restart the agent, and report this',
        );
        giveUpWhenAllHaveFailed(error);
      });
      return undefined;
    } catch (error) {
      fail(
        line,
        error,
        'a pipeline cannot start; its lines wait in their files. Remove the cause, then send SIGHUP or restart the agent',
      );
      return error;
    }
  };

  const serve = async (line: Line): Promise<void> => {
    let problem: unknown;
    while (line.served !== line.wish) {
      line.served = line.wish;
      if (line.pipeline !== undefined) await stop(line, line.pipeline);
      if (line.wanted !== undefined && line.served === line.wish) problem = await start(line, line.wanted);
      if (line.wanted === undefined && closing === undefined) await options.onRemoved(line.name);
    }
    line.work = undefined;
    if (line.wanted === undefined) lines.delete(line.name);
    else if (problem !== undefined) giveUpWhenAllHaveFailed(problem);
  };

  /** Its work never rejects but for a bug, which then ends the process. */
  const wish = (name: string, config: PipelineConfig | undefined): Promise<void> => {
    const line = lines.get(name) ?? {
      name,
      wanted: undefined,
      pipeline: undefined,
      failed: undefined,
      wish: 0,
      served: 0,
      work: undefined,
    };
    lines.set(name, line);
    line.wanted = config;
    line.wish += 1;
    line.work ??= serve(line);
    return line.work;
  };

  const stopAll = async (): Promise<void> => {
    await Promise.all([...lines.keys()].map((name) => wish(name, undefined)));
    ending.resolve();
  };

  return {
    want: (pipelines) => {
      if (closing !== undefined) return { start: [], replace: [], stop: [] };
      const difference = pipelineDifference(wanted, pipelines);
      wanted = pipelines;
      for (const name of difference.stop) void wish(name, undefined);
      for (const config of [...difference.replace, ...difference.start]) void wish(config.name, config);
      return difference;
    },
    startFailedAgain: () => {
      if (closing !== undefined) return [];
      const failed = [...lines.values()].filter(
        (line) => line.failed !== undefined && line.work === undefined,
      );
      for (const line of failed) void wish(line.name, line.wanted);
      return failed.map((line) => line.name);
    },
    startAllAgain: () => {
      if (closing !== undefined) return;
      for (const line of lines.values()) if (line.wanted !== undefined) void wish(line.name, line.wanted);
    },
    get all() {
      return [...lines.values()].map(({ name, pipeline, failed, wanted }) => {
        return { name, pipeline, failed, wanted: wanted !== undefined };
      });
    },
    close: () => (closing ??= stopAll()),
    done,
  };
}
